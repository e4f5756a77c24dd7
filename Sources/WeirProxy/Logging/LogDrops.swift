import Synchronization

/// How many lines were thrown away, over all the logs of a process. Any thread.
final class LogDrops: Sendable {
    private let count = Atomic<UInt64>(0)

    var value: UInt64 { count.load(ordering: .relaxed) }

    func add(_ lines: UInt64) {
        count.add(lines, ordering: .relaxed)
    }
}
