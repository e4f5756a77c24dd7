import LinuxIO
import NetworkTypes

/// The PROXY header that a new peer must send before the route serves it.
enum HeaderRequirement {
    /// The peer sends no header.
    case none
    /// The peer is trusted and must begin with a header.
    case header
    /// The route serves only trusted peers, and this peer is not one.
    case refused
}

extension StreamHooks {
    /// Returns what a peer must send. Without a hook, the trusted proxies of the settings decide.
    func headerRequirement(of peer: SocketAddress, _ settings: borrowing ProxyProtocolSettings) -> HeaderRequirement {
        settings.headerRequirement(of: peer, isTrustedProxy)
    }
}

extension ProxyProtocolSettings {
    /// Returns what a peer must send. Without a hook, the trusted proxies decide. No hook is asked about a client of a
    /// Unix socket, which has no address.
    func headerRequirement(of peer: SocketAddress, _ isTrustedProxy: StreamHooks.IsTrustedProxy?) -> HeaderRequirement {
        if mode == .disabled { return .none }
        let isTrusted =
            peer.isUnix
            ? trustsUnixSockets
            : isTrustedProxy.map { $0(peer.ip) } ?? trustedProxies.contains { $0.contains(peer.ip) }
        if isTrusted { return .header }
        return mode == .required ? .refused : .none
    }
}
