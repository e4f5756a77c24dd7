import NetworkTypes
import WeirMetrics

// Families of an agent; a program without one has none of these series.

extension MetricCatalogue {
    static let tunnelRequests = MetricDeclaration.counter(
        "tunnel_requests_total",
        "Requests for tunnels at this agent, by what became of them; checks through `/health` that were denied, too.",
        [.transport, .of("result", TunnelResult.self)])

    static let tunnels = [tunnelRequests]
}
