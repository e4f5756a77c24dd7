import Synchronization

/// The epoch that each worker shard last acknowledged, each on cache lines of its own.
///
/// `@unchecked Sendable`, because the words are only accessed as atomics and are never freed.
@safe
struct ShardAcknowledgements: @unchecked Sendable {
    private static let stride = 16
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    let shardCount: Int

    init(shardCount: Int) {
        self.shardCount = shardCount
        unsafe words = CellStorage.allocateForever(words: Swift.max(shardCount, 1) * Self.stride)
    }

    /// Release: all updates that the shard made so far come before the reuse of what was retired before `epoch`.
    func acknowledge(shard: Int, epoch: UInt64) {
        precondition(shard >= 0 && shard < shardCount, "no such shard")
        unsafe (words + shard * Self.stride).pointee.store(epoch, ordering: .releasing)
    }

    /// The epoch that every shard has acknowledged.
    var oldest: UInt64 {
        var oldest = UInt64.max
        for shard in 0..<shardCount {
            oldest = min(oldest, unsafe (words + shard * Self.stride).pointee.load(ordering: .acquiring))
        }
        return oldest
    }
}
