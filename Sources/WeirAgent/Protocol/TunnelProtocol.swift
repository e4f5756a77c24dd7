/// The protocols of a tunnel, by the names under which TLS negotiates them (ALPN, RFC 7301).
public enum TunnelProtocol: String, CaseIterable, Sendable {
    /// Weir's own: the agent answers with a status, an end travels in each direction, and the request names the client
    /// and the time that is left.
    case weir = "weir-agent/1"
    /// That of GoDoxy's agent: the header alone, and no answer.
    case plain = "godoxy-agent-stream/1"

    /// The name that clients ask for and verify, whatever address they dial.
    public static let serverName = "godoxy.agent"
}
