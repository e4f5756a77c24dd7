/// A number that rises and falls: the sum of a part that is set and of what all threads have added.
public struct Gauge: Sendable {
    @usableFromInline let cells: ShardCells
    /// Unique in the process; finds the series in the registry's state.
    let serial: UInt64

    /// Sets the part that does not belong to a worker's shard. Any thread; the last writer wins.
    @inlinable @inline(__always)
    public func set(_ value: Int64) {
        cells.storeShared(UInt64(bitPattern: value))
    }

    /// Adds (or subtracts) in a worker's own shard. Where a thing begins in one shard and ends in another, a scrape
    /// between may see the end alone: use a derived gauge for what must never be negative.
    @inlinable @inline(__always)
    public func add(_ amount: Int64, shard: Int) {
        cells.add(UInt64(bitPattern: amount), shard: shard)
    }

    /// Adds (or subtracts) from any thread, by one atomic addition.
    @inlinable @inline(__always)
    public func add(_ amount: Int64) {
        cells.addShared(UInt64(bitPattern: amount))
    }

    /// The value over all shards, in the raw unit. For tests and live tables; any thread.
    public var value: Int64 {
        Int64(bitPattern: cells.sum())
    }
}

/// A gauge that the registry computes in every scrape as beginnings − endings, from the same readings that it prints
///  for those counters, so that `beginnings = gauge + endings` holds exactly on every page.
public struct DerivedGauge: Sendable {
    let beginnings: [Counter]
    let endings: [Counter]
    /// Unique in the process; finds the series in the registry's state.
    let serial: UInt64

    /// The value now. Endings are read first, so that it is never negative. Any thread.
    public var value: Int64 {
        let ended = endings.reduce(0) { $0 &+ $1.value }
        let begun = beginnings.reduce(0) { $0 &+ $1.value }
        return Int64(bitPattern: begun &- ended)
    }
}
