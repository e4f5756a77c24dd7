import Threading
import WeirMetrics

/// Counters found by index. Those that are expected to count are on the page from the start; any other is put there
/// when it first counts, so that no event is lost, whatever was expected.
final class CounterTable: Sendable {
    private let registration: RouteRegistration
    private let family: MetricDeclaration
    private let labels: @Sendable (Int) -> [String]
    private let expected: [Counter?]
    private let late: Lock<[Int: Counter]> = Lock([:])

    /// Registers the counters of the indexes that `isExpected` names.
    ///
    /// - Parameters:
    ///   - count: the number of indexes.
    ///   - labels: the label values of an index.
    init(
        _ registration: RouteRegistration, _ family: MetricDeclaration, count: Int, isExpected: (Int) -> Bool,
        labels: @escaping @Sendable (Int) -> [String]
    ) {
        self.registration = registration
        self.family = family
        self.labels = labels
        expected = (0..<count).map { isExpected($0) ? registration.counter(family, labels($0)) : nil }
    }

    /// The counter of an index, where it is on the page from the start. Any thread.
    @inline(__always)
    func expectedCounter(_ index: Int) -> Counter? { expected[index] }

    /// The counter of any other index. Any thread: takes a lock, and registers the counter at its first event, which no
    /// stream has twice.
    @inline(never)
    func lateCounter(_ index: Int) -> Counter {
        late.withLock { late in
            if let known = late[index] { return known }
            let counter = registration.lateCounter(family, labels(index))
            late[index] = counter
            return counter
        }
    }

    /// The counters of all indexes, in their order, for a sum of which none may be missing: those that are not on the
    /// page are registered as hidden ones.
    func summands() -> [Counter] {
        expected.indices.map { expected[$0] ?? registration.counter(family, labels($0), isHidden: true) }
    }

    /// The indexes and counters that are on the page. Any thread.
    var counted: [(index: Int, counter: Counter)] {
        let late = late.withLock { $0 }
        return expected.indices.compactMap { index in (expected[index] ?? late[index]).map { (index, $0) } }
    }

    /// The sum of all of them. Any thread.
    var total: UInt64 { counted.reduce(0) { $0 + $1.counter.value } }
}
