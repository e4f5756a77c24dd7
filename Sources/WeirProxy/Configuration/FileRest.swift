/// Decides when files that change may be taken: not before they have looked the same for a while, because what is still
/// being written is not what was meant. Pure; times are nanoseconds of one clock.
struct FileRest<Stamp: Equatable> {
    /// How long they must look the same.
    static var time: UInt64 { 2_000_000_000 }

    private var stamps: [String: Stamp]
    /// When they last changed, or were reported to; nil where there is nothing to be taken.
    private var changedAt: UInt64?

    /// Files as they look now, of which nothing has been taken yet.
    init(_ stamps: [String: Stamp], now: UInt64) {
        self.stamps = stamps
        changedAt = now
    }

    /// Whether something waits to be taken.
    var isWaiting: Bool { changedAt != nil }

    /// Notes how the files look. `isReported` says that something happened to them, or beside them. True once they have
    /// rested after a change.
    mutating func note(_ new: [String: Stamp], isReported: Bool, now: UInt64) -> Bool {
        if new != stamps {
            stamps = new
            changedAt = now
        } else if isReported, changedAt == nil {
            // What happens beside them all the time does not keep them from being taken.
            changedAt = now
        }
        guard let since = changedAt, now - min(now, since) >= Self.time else { return false }
        changedAt = nil
        return true
    }
}
