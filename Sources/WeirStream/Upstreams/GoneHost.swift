public import NetworkTypes

/// A host that is gone for good: its address may be that of another one soon, so nothing may be sent there any more.
public struct GoneHost: Sendable, Hashable {
    /// The host, as upstreams have it.
    public let host: UpstreamHost
    /// The ports that were dialed.
    public let ports: [ClosedRange<UInt16>]

    /// Joins a host and its ports.
    public init(_ host: UpstreamHost, ports: [ClosedRange<UInt16>]) {
        self.host = host
        self.ports = ports
    }

    /// Whether an upstream is at it.
    func has(_ upstream: Upstream) -> Bool {
        upstream.host == host && ports.contains { $0.contains(upstream.port) }
    }
}
