import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration
import WeirMetrics

@testable import WeirProxy
@testable import WeirStream

/// A route as a file would give it.
func makeRoute(
    _ name: String, scheme: Network = .tcp4, bind: ScopedAddress? = .loopbackIPv4,
    host: UpstreamHost = .address(.loopbackIPv4), listen: UInt16, upstream: UInt16,
    settings: TransportSettings? = nil, limits: TrafficLimits = TrafficLimits(), preDial: PreDialProgram? = nil
) -> RouteConfiguration {
    RouteConfiguration(
        name: name, scheme: scheme, bind: bind, host: host, listenPort: listen, upstreamPort: upstream,
        settings: settings, limits: limits, preDial: preDial)
}

/// A log that goes nowhere.
func makeSilentLog(shardCount: Int = 4) throws -> LogOutput {
    try LogOutput(descriptor: 1, shardCount: shardCount, level: .critical, startsThread: false)
}

/// A connection or session as the engine would tell of it.
func makeContext(
    _ transport: Transport = .tcp, id: UInt64 = 1, worker: Int = 0, client: IPAddress = .loopbackIPv4
)
    throws -> StreamContext
{
    StreamContext(
        id: id, route: RouteIdentity(name: "a", upstreams: [try Upstream("localhost:22")]), transport: transport,
        clientAddress: SocketAddress(client, port: 40_000), localAddress: SocketAddress(.loopbackIPv4, port: 1),
        worker: worker)
}

/// The page of a registry, read strictly.
func scrape(_ registry: MetricsRegistry) throws -> Samples {
    var buffer = ScrapeBuffer()
    registry.render(into: &buffer)
    return try Samples(buffer.text)
}
