/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): a hash that is the same in every
/// process and on every machine, which the standard library's is not.
struct SipHash {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    /// Starts a hash with a key of two words.
    @inline(__always)
    init(_ key0: UInt64, _ key1: UInt64) {
        v0 = key0 ^ 0x736f_6d65_7073_6575
        v1 = key1 ^ 0x646f_7261_6e64_6f6d
        v2 = key0 ^ 0x6c79_6765_6e65_7261
        v3 = key1 ^ 0x7465_6462_7974_6573
    }

    /// Returns the hash of bytes.
    static func hash(_ bytes: some Collection<UInt8>, key: (UInt64, UInt64)) -> UInt64 {
        var state = SipHash(key.0, key.1)
        var word: UInt64 = 0
        var filled = 0
        var length: UInt64 = 0
        for byte in bytes {
            word |= UInt64(byte) << UInt64(8 * filled)
            filled += 1
            length &+= 1
            if filled == 8 {
                state.absorb(word)
                (word, filled) = (0, 0)
            }
        }
        return state.finish(word | length << 56)
    }

    /// Returns the hash of the 16 bytes of two words, in little-endian order.
    @inline(__always)
    static func hash(_ first: UInt64, _ second: UInt64, key: (UInt64, UInt64)) -> UInt64 {
        var state = SipHash(key.0, key.1)
        state.absorb(first)
        state.absorb(second)
        return state.finish(16 << 56)
    }

    @inline(__always)
    private mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    @inline(__always)
    private mutating func finish(_ last: UInt64) -> UInt64 {
        absorb(last)
        v2 ^= 0xff
        round()
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v1 = Self.rotated(v1, 13) ^ v0
        v0 = Self.rotated(v0, 32)
        v2 = v2 &+ v3
        v3 = Self.rotated(v3, 16) ^ v2
        v0 = v0 &+ v3
        v3 = Self.rotated(v3, 21) ^ v0
        v2 = v2 &+ v1
        v1 = Self.rotated(v1, 17) ^ v2
        v2 = Self.rotated(v2, 32)
    }

    @inline(__always)
    private static func rotated(_ word: UInt64, _ bits: UInt64) -> UInt64 { word &<< bits | word &>> (64 - bits) }
}
