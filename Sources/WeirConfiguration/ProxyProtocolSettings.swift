import NetworkTypes

/// `proxy_protocol:`, who begins with a PROXY header. A route's own replaces that of `entrypoint`.
public struct ProxyProtocolSettings: Sendable, Hashable {
    /// Who must send a header.
    public enum Mode: String, Sendable, CaseIterable {
        /// Nobody.
        case disabled
        /// Trusted peers; the others pass as they are.
        case mixed
        /// Trusted peers; the others are refused.
        case required
    }

    /// Which of a trusted peer's datagrams have a header.
    public enum Datagrams: String, Sendable, CaseIterable {
        /// The first one of a session.
        case first
        /// Every one.
        case each
    }

    /// Who must send a header.
    public var mode: Mode
    /// The peers that are believed.
    public var trustedProxies: [IPPrefix]
    /// For UDP.
    public var datagrams: Datagrams

    /// Makes the settings; defaults as documented.
    public init(mode: Mode = .disabled, trustedProxies: [IPPrefix] = [], datagrams: Datagrams = .first) {
        self.mode = mode
        self.trustedProxies = trustedProxies
        self.datagrams = datagrams
    }
}
