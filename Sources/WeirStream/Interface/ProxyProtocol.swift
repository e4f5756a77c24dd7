import LinuxIO
import NetworkTypes

/// The header that a new peer owes before it is served.
enum HeaderDuty {
    case none
    case header
    /// It may not send one, and without one it is not served.
    case refused
}

extension StreamHooks {
    /// The header that a peer owes. Where no hook decides, the trusted proxies of the settings do.
    func headerDuty(of peer: IPAddress, _ settings: borrowing ProxyProtocolSettings) -> HeaderDuty {
        settings.duty(of: peer, isTrustedProxy)
    }
}

extension ProxyProtocolSettings {
    /// The header that a peer owes. Where no hook decides, the trusted proxies do.
    func duty(of peer: IPAddress, _ isTrustedProxy: StreamHooks.IsTrustedProxy?) -> HeaderDuty {
        if mode == .disabled { return .none }
        let isTrusted = isTrustedProxy.map { $0(peer) } ?? trustedProxies.contains { $0.contains(peer) }
        if isTrusted { return .header }
        return mode == .required ? .refused : .none
    }
}
