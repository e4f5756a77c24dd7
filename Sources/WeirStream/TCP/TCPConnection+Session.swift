import LinuxIO
import NetworkTypes

// The facts of the client's handshake, for the route's hooks and the header to the upstream.
extension TCPConnection {
    /// Notes the facts of a handshake that is done. Returns why the route refuses the client; nil where it does not.
    func judge(_ session: (any SecureSession)?) -> RejectReason? {
        guard let session else { return nil }
        if let facts = session.facts { context.adopt(facts) }
        guard let admit = route.hooks.admitSecured, case .reject(let reason) = admit(context, session) else {
            return nil
        }
        return reason
    }

    /// The PROXY header to the upstream.
    func proxyHeader(_ version: ProxyHeader.Version, destination: SocketAddress) -> [UInt8] {
        let source = context.clientAddress
        if source.isUnix { return ProxyHeaderWriter.bytesWithoutAddresses(version) }
        return ProxyHeaderWriter.bytes(
            version, for: ProxyHeader.Addresses(source: source, destination: destination), context.sessionFacts)
    }
}
