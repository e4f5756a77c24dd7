import NetworkTypes

/// The numbers that spread the checks of many members over time. They follow from the member's address and the kind of
/// the check alone, so that a run can be repeated (SplitMix64, from the paper "Fast Splittable Pseudorandom Number
/// Generators").
struct CheckSpread {
    private var state: UInt64

    init(_ target: HealthTarget) {
        let address = target.checkedAddress
        state = address.ip.high
        let numbers = [address.ip.low, UInt64(address.port), UInt64(address.scope)]
        for word in numbers + target.check.word.utf8.map(UInt64.init) {
            state = Self.mixed(state &+ 0x9e37_79b9_7f4a_7c15) ^ word
        }
    }

    /// The next number, in `0..<bound`; 0 where that is empty.
    mutating func next(below bound: UInt64) -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Self.mixed(state).multipliedFullWidth(by: bound).high
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
