/// The growth of a member's weight after a failure.
enum SlowStart {
    /// The share of the weight that a member has, 0…1.
    static func share(start: UInt64, length: UInt64, now: UInt64) -> Double {
        guard start != 0, length > 0, now >= start, now - start < length else {
            return start != 0 && length > 0 && now < start ? 0 : 1
        }
        return Double(now - start) / Double(length)
    }
}
