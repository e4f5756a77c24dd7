import Synchronization

/// A value that several threads use in turn. The order of its uses stands in an atomic besides: the thread sanitizer
/// does not see into the `Mutex` of the standard library, and would report every use.
package final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    private let turns = Atomic<Int>(0)

    package init(_ value: Value) {
        mutex = Mutex(value)
    }

    package func withLock<Result: Sendable>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try mutex.withLock { value in
            _ = turns.load(ordering: .acquiring)
            defer { turns.wrappingAdd(1, ordering: .releasing) }
            return try body(&value)
        }
    }
}
