import WeirMetrics
import WeirStream

/// A counter for each direction.
struct DirectionCounters: Sendable {
    private let ingress: Counter
    private let egress: Counter

    init(_ registration: RouteRegistration, _ family: MetricDeclaration, labels: [String]) {
        ingress = registration.counter(family, labels + [Direction.ingress.rawValue])
        egress = registration.counter(family, labels + [Direction.egress.rawValue])
    }

    @inline(__always)
    subscript(_ direction: Direction) -> Counter { direction == .ingress ? ingress : egress }
}
