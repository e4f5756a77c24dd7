/// The different beginnings of workers, and of one worker under successive configurations, so that they do not all send
/// their first client to the same member.
enum Stagger {
    /// Returns an index below `count`. Those of any number of workers are evenly spread: the multiples of the golden
    /// ratio are, whichever way one cuts them off.
    static func offset(of worker: Int, generation: Int, among count: Int) -> Int {
        let turns = UInt64(truncatingIfNeeded: worker &+ generation) &* 0x9e37_79b9_7f4a_7c15
        return Int(((turns >> 32) * UInt64(count)) >> 32)
    }
}
