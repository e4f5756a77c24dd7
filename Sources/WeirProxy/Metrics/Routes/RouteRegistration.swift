import Logging
import Threading
import WeirMetrics

/// Registers the series of a route. Where the page is full the route runs all the same: what found no room counts
/// nowhere, and is counted as dropped.
final class RouteRegistration: Sendable {
    private let registry: MetricsRegistry
    /// Owns the series, and retires them when the last user is gone.
    let group: SeriesGroup
    private let firstFailure = Lock<RegistrationError?>(nil)

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        group = registry.group()
    }

    /// Why a series is missing, if one is.
    var failure: RegistrationError? { firstFailure.withLock { $0 } }

    /// Registers a counter. A hidden one is not on the page until it is shown.
    func counter(_ family: MetricDeclaration, _ labels: [String], isHidden: Bool = false) -> Counter {
        attempt { () throws(RegistrationError) in
            try group.counter(family.descriptor, labels: labels, isHidden: isHidden)
        } ?? registry.discardingCounter
    }

    /// The counter of an event that is happening: on the page, or hidden where that is full, so that sums stay right.
    func lateCounter(_ family: MetricDeclaration, _ labels: [String]) -> Counter {
        attempt { () throws(RegistrationError) in try group.counter(family.descriptor, labels: labels) }
            ?? counter(family, labels, isHidden: true)
    }

    func gauge(_ family: MetricDeclaration, _ labels: [String]) -> Gauge {
        attempt { () throws(RegistrationError) in try group.gauge(family.descriptor, labels: labels) }
            ?? registry.discardingGauge
    }

    func histogram(_ family: MetricDeclaration, _ labels: [String]) -> Histogram {
        attempt { () throws(RegistrationError) in try group.histogram(family.descriptor, labels: labels) }
            ?? registry.discardingHistogram
    }

    func derivedGauge(
        _ family: MetricDeclaration, _ labels: [String], beginnings: [Counter], endings: [Counter]
    ) -> DerivedGauge? {
        attempt { () throws(RegistrationError) in
            try group.derivedGauge(family.descriptor, labels: labels, beginnings: beginnings, endings: endings)
        }
    }

    private func attempt<Handle>(_ register: () throws(RegistrationError) -> Handle) -> Handle? {
        do throws(RegistrationError) {
            return try register()
        } catch {
            firstFailure.withLock { first in
                if first == nil { first = error }
            }
            return nil
        }
    }
}
