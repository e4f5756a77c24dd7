import LinuxIO
import NetworkTypes
import WeirAccess
import WeirConfiguration
import WeirStream

// Whose PROXY headers a route believes, for the engine.

extension RouteConfiguration {
    /// What the route says of PROXY headers, whichever transport it has.
    var proxyProtocol: ProxyProtocolSettings {
        switch settings {
        case .tcp(let settings): settings.proxyProtocol
        case .udp(let settings): settings.proxyProtocol
        }
    }

    /// Adds the hook that knows the trusted proxies, where the route reads headers.
    func addTrust(to hooks: inout StreamHooks) {
        guard proxyProtocol.mode != .disabled else { return }
        let trusted = IPPrefixList(proxyProtocol.trustedProxies.compactMap { IPPrefix($0) })
        hooks.isTrustedProxy = { trusted.contains($0) }
    }
}

extension IPPrefix {
    /// The block of a configuration. Its reader knows the lengths that there are.
    init?(_ block: IPBlock) {
        let bytes = block.network.bytes
        let address =
            block.network.isIPv6
            ? IPAddress(high: Self.number(bytes[..<8]), low: Self.number(bytes[8...]))
            : IPAddress(v4: UInt32(truncatingIfNeeded: Self.number(bytes[...])))
        self.init(around: address, length: block.length)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension ProxyProtocolMode {
    init(_ mode: ProxyProtocolSettings.Mode) {
        switch mode {
        case .disabled: self = .disabled
        case .mixed: self = .mixed
        case .required: self = .required
        }
    }
}
