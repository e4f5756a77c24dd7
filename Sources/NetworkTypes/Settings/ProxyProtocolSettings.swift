/// The peers that must begin with a PROXY header (proxy-protocol.txt of HAProxy). Whether a header is expected depends
/// on the peer's address only, never on the bytes: otherwise every client could claim to be another.
public enum ProxyProtocolMode: String, CaseIterable, Sendable {
    /// No peer's bytes are read as a header.
    case disabled
    /// Trusted peers must send one; the others pass as they are.
    case mixed
    /// Trusted peers must send one; the others are refused.
    case required
}

/// The datagrams of a session that begin with a PROXY header.
public enum DatagramHeaders: String, CaseIterable, Sendable {
    /// The first one, after which a peer's address and port stand for its client, past the end of the session. Where
    /// that one is lost, the next one is taken for it: only for peers that cannot send ``each``.
    case first
    /// Every one: a peer may bring many clients from one port.
    case each
}

/// The two forms of a PROXY header; each raw value is a metric label.
public enum ProxyHeaderVersion: String, CaseIterable, Sendable {
    /// One line of text, TCP only.
    case v1
    /// Binary, for TCP and UDP.
    case v2
}

/// The PROXY headers that are read.
public struct ProxyProtocolSettings: Hashable, Sendable {
    /// The peers that must send one.
    public var mode: ProxyProtocolMode
    /// The trusted peers. The search is linear.
    public var trustedProxies: [IPPrefix]
    /// Whether clients of Unix sockets, which have no address, are trusted as well.
    public var trustsUnixSockets = false
    /// The datagrams of a trusted peer that have a header; TCP connections begin with one.
    public var datagrams: DatagramHeaders

    /// No headers, unless told otherwise.
    public init(
        mode: ProxyProtocolMode = .disabled, trustedProxies: [IPPrefix] = [], datagrams: DatagramHeaders = .each
    ) {
        self.mode = mode
        self.trustedProxies = trustedProxies
        self.datagrams = datagrams
    }
}
