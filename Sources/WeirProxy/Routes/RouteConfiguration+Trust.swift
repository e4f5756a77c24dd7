import LinuxIO
import NetworkTypes
import WeirAccess
import WeirConfiguration
import WeirStream

// Whose PROXY headers a route believes, for the engine.

extension RouteConfiguration {
    /// The route's settings of PROXY headers, for either transport.
    var proxyProtocol: ProxyProtocolSettings {
        switch settings {
        case .tcp(let settings): settings.proxyProtocol
        case .udp(let settings): settings.proxyProtocol
        }
    }

    /// Adds the hook that knows the trusted proxies, where the route reads headers.
    func addTrust(to hooks: inout StreamHooks) {
        guard proxyProtocol.mode != .disabled else { return }
        let trusted = IPPrefixList(proxyProtocol.trustedProxies)
        hooks.isTrustedProxy = { trusted.contains($0) }
    }
}
