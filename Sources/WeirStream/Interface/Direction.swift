/// The direction of bytes through the proxy.
public enum Direction: String, CaseIterable, Sendable {
    /// From the client to the upstream.
    case ingress
    /// From the upstream to the client.
    case egress
}
