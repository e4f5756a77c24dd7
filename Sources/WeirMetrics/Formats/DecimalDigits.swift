/// Prints eight decimal digits at once, in one register. Pages are mostly small integers of varying length, so a branch
/// on the length would be mispredicted at every other one.
enum DecimalDigits {
    /// The smallest number with more than eight digits.
    static var blockLimit: UInt64 { 100_000_000 }
    /// Turns the digits of a block into characters, by a bitwise OR.
    static var ascii: UInt64 { 0x3030_3030_3030_3030 }

    /// The eight digits of a number below ``blockLimit``, one in each byte, the highest in the lowest byte.
    ///
    /// Splits the digits into groups of half the length three times: 8 → 2 × 4 → 4 × 2 → 8 × 1. The multiplications are
    /// divisions by 100 and by 10, exact for groups of four and of two digits: 10486 / 2^20 and 103 / 2^10.
    @inline(__always)
    static func block(_ value: UInt64) -> UInt64 {
        assert(value < blockLimit)
        let fours = value / 10_000 | (value % 10_000) &<< 32
        let hundreds = (fours &* 10_486) &>> 20 & 0x0000_007F_0000_007F
        let twos = hundreds | (fours &- hundreds &* 100) &<< 16
        let tens = (twos &* 103) &>> 10 & 0x000F_000F_000F_000F
        return tens | (twos &- tens &* 10) &<< 8
    }
}
