/// A number that only rises. A plain value of three words: copying is free, and it stays valid as long as the process
/// runs (updates after retirement are lost, never misplaced, while the rules of ``SeriesGroup`` are kept).
public struct Counter: Sendable {
    @usableFromInline let cells: ShardCells
    /// Unique in the process; finds the series in the registry's state.
    let serial: UInt64

    /// Adds in a worker's own shard: no lock, no locked instruction, no wait.
    ///
    /// - Parameters:
    ///   - amount: in the raw unit of the descriptor.
    ///   - shard: 0 ..< the registry's shards. Only that worker's thread may use it.
    @inlinable @inline(__always)
    public func add(_ amount: UInt64 = 1, shard: Int) {
        cells.add(amount, shard: shard)
    }

    /// Adds from any thread, by one atomic addition.
    @inlinable @inline(__always)
    public func add(_ amount: UInt64 = 1) {
        cells.addShared(amount)
    }

    /// Raises the counter to a total that is kept elsewhere (CPU time of the process, say), from any thread. A lower
    /// total than the last is ignored. Not to be mixed with ``add(_:)`` on the same counter.
    @inlinable @inline(__always)
    public func raise(to total: UInt64) {
        cells.raiseShared(to: total)
    }

    /// The total over all shards, in the raw unit. For tests and live tables; any thread.
    public var value: UInt64 {
        cells.sum()
    }
}
