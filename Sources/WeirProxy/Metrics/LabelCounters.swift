import WeirMetrics
import WeirStream

/// The counters of one family of a route, one for each value of a closed label.
struct LabelCounters<Value: LabelValue>: Sendable {
    private let table: CounterTable
    /// The traits that were known when the counters were made.
    private let traits: StreamTraits

    /// Registers the counters of the values that can occur on a stream with these traits.
    init(_ registration: RouteRegistration, _ family: MetricDeclaration, labels: [String], on traits: StreamTraits) {
        let values = LabelIndex<Value>.values
        table = CounterTable(
            registration, family, count: values.count, isExpected: { values[$0].occurrence.isPossible(on: traits) },
            labels: { labels + [values[$0].label] })
        self.traits = traits
    }

    /// The counter of one value. A value that cannot occur on a stream of this kind, whatever its settings, was
    /// declared wrongly or told by mistake: that traps in debug builds, and is counted like any other in release
    /// builds.
    @inline(__always)
    subscript(_ value: Value) -> Counter {
        if let counter = table.expectedCounter(value.ordinal) { return counter }
        assert(
            value.occurrence.isConceivable(on: traits),
            "\(Value.self).\(value) is declared to occur on no stream of this kind")
        return unexpected(value)
    }

    /// The counter of a value that was not expected. It is on the page from now on.
    func unexpected(_ value: Value) -> Counter { table.lateCounter(value.ordinal) }

    /// The counters of all values, for a sum of which none may be missing.
    func summands() -> [Counter] { table.summands() }

    /// The values with their counts, without those that have none. Any thread.
    var counts: [(value: Value, count: UInt64)] {
        let values = LabelIndex<Value>.values
        return table.counted.compactMap { index, counter in
            let count = counter.value
            return count > 0 ? (values[index], count) : nil
        }
    }

    /// The sum of all. Any thread.
    var total: UInt64 { table.total }
}
