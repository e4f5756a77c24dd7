import Synchronization

/// The epoch that each worker lane last acknowledged, each on cache lines of its own.
///
/// `@unchecked Sendable`, because the words are only accessed as atomics and are never freed.
@safe
struct LaneAcknowledgements: @unchecked Sendable {
    private static let stride = 16
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    let lanes: Int

    init(lanes: Int) {
        self.lanes = lanes
        unsafe words = CellStorage.allocateForever(words: Swift.max(lanes, 1) * Self.stride)
    }

    /// Release: all updates that the lane made so far come before the reuse of what was retired before `epoch`.
    func acknowledge(lane: Int, epoch: UInt64) {
        precondition(lane >= 0 && lane < lanes, "no such lane")
        unsafe (words + lane * Self.stride).pointee.store(epoch, ordering: .releasing)
    }

    /// The epoch that every lane has acknowledged.
    var oldest: UInt64 {
        var oldest = UInt64.max
        for lane in 0..<lanes {
            oldest = min(oldest, unsafe (words + lane * Self.stride).pointee.load(ordering: .acquiring))
        }
        return oldest
    }
}
