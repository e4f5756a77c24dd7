import LinuxIO
import NetworkTypes

extension Upstream {
    /// The address where the host is a literal, of which nothing is resolved. Nil for a name, and for a literal whose
    /// interface this machine does not have now: the resolver is asked for it like for a name.
    public var literal: SocketAddress? {
        guard case .address(let address) = host else { return nil }
        return SocketAddress(resolving: address, port: port)
    }
}
