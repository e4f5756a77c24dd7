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
    func headerRequirement(of peer: IPAddress, _ settings: borrowing ProxyProtocolSettings) -> HeaderRequirement {
        settings.headerRequirement(of: peer, isTrustedProxy)
    }
}

extension ProxyProtocolSettings {
    /// Returns what a peer must send. Without a hook, the trusted proxies decide.
    func headerRequirement(of peer: IPAddress, _ isTrustedProxy: StreamHooks.IsTrustedProxy?) -> HeaderRequirement {
        if mode == .disabled { return .none }
        let isTrusted = isTrustedProxy.map { $0(peer) } ?? trustedProxies.contains { $0.contains(peer) }
        if isTrusted { return .header }
        return mode == .required ? .refused : .none
    }
}
