/// Observations counted in buckets, with their sum. `_count` is never kept: it is the sum of the buckets, so that it
/// always equals the bucket `+Inf`.
///
/// In a registry that keeps native histograms its buckets lie in cells of their own, from which both sorts are read.
public struct Histogram: Sendable {
    /// Cell 0 is the sum, cell 1 + i the bucket i (not cumulative), the last one `+Inf`, unless the buckets are native.
    @usableFromInline let cells: ShardCells
    @usableFromInline let bounds: BucketBounds
    @usableFromInline let native: NativeCells?
    /// Unique in the process; finds the series in the registry's state.
    let serial: UInt64

    /// Records one observation in a worker's own shard.
    ///
    /// - Parameters:
    ///   - value: the observation in the raw unit of the descriptor (nanoseconds for durations).
    ///   - shard: 0 ..< the registry's shards. Only that worker's thread may use it.
    @inlinable @inline(__always)
    public func observe(raw value: UInt64, shard: Int) {
        if let native {
            native.count(value, shard: shard)
        } else {
            cells.add(1, shard: shard, cell: 1 &+ bounds.bucket(of: value))
        }
        cells.add(value, shard: shard)
    }

    /// Records one observation from any thread, by two atomic additions.
    @inlinable @inline(__always)
    public func observe(raw value: UInt64) {
        if let native {
            native.countShared(value)
        } else {
            cells.addShared(1, cell: 1 &+ bounds.bucket(of: value))
        }
        cells.addShared(value)
    }

    /// Number of observations over all shards and buckets. For tests and live tables; any thread.
    public var count: UInt64 {
        bucketCounts.reduce(0, &+)
    }

    /// Sum of the observations over all shards, in the raw unit. Any thread.
    public var sum: UInt64 {
        cells.sum()
    }

    /// Observations per bucket, not cumulative, `+Inf` last. Allocates; for tests and live tables. Any thread.
    public var bucketCounts: [UInt64] {
        (0...bounds.count).map { native?.sum(classic: $0) ?? cells.sum(cell: 1 + $0) }
    }
}
