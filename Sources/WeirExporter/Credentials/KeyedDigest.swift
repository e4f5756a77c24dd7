/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the longer output is
/// that of its reference implementation), under a key that only this process has.
///
/// Secrets are remembered and compared as digests: memory that leaks says nothing about them, and how long a comparison
/// takes says nothing about how much of a guess was right.
struct KeyedDigest {
    /// 128 bits.
    struct Value: Hashable {
        var first: UInt64
        var second: UInt64

        /// Whether they are equal; takes the same time whatever they are.
        func isSame(as other: Value) -> Bool { (first ^ other.first) | (second ^ other.second) == 0 }
    }

    private let key: (UInt64, UInt64)

    /// A digest with a key of its own.
    init() {
        self.init(key: (.random(in: .min ... .max), .random(in: .min ... .max)))
    }

    init(key: (UInt64, UInt64)) {
        self.key = key
    }

    /// The digest of several texts; where one ends and the next begins matters.
    func value(of parts: [[UInt8]]) -> Value {
        var message: [UInt8] = []
        for part in parts {
            var length = UInt64(part.count)
            for _ in 0..<8 {
                message.append(UInt8(truncatingIfNeeded: length))
                length >>= 8
            }
            message += part
        }
        return value(ofMessage: message)
    }

    func value(ofMessage message: [UInt8]) -> Value {
        var state = State(key)
        let whole = message.count & ~7
        for start in stride(from: 0, to: whole, by: 8) { state.absorb(Self.word(message[start..<start + 8])) }
        state.absorb(UInt64(truncatingIfNeeded: message.count) << 56 | Self.word(message[whole...]))
        return state.finish()
    }

    /// At most eight bytes as a number, the first one the lowest.
    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private struct State {
        var v0: UInt64
        var v1: UInt64
        var v2: UInt64
        var v3: UInt64

        init(_ key: (UInt64, UInt64)) {
            v0 = key.0 ^ 0x736f_6d65_7073_6575
            v1 = key.1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
            v2 = key.0 ^ 0x6c79_6765_6e65_7261
            v3 = key.1 ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            rounds(2)
            v0 ^= word
        }

        mutating func finish() -> Value {
            v2 ^= 0xee
            rounds(4)
            let first = v0 ^ v1 ^ v2 ^ v3
            v1 ^= 0xdd
            rounds(4)
            return Value(first: first, second: v0 ^ v1 ^ v2 ^ v3)
        }

        private mutating func rounds(_ count: Int) {
            for _ in 0..<count {
                v0 &+= v1
                v1 = Self.rotated(v1, 13) ^ v0
                v0 = Self.rotated(v0, 32)
                v2 &+= v3
                v3 = Self.rotated(v3, 16) ^ v2
                v0 &+= v3
                v3 = Self.rotated(v3, 21) ^ v0
                v2 &+= v1
                v1 = Self.rotated(v1, 17) ^ v2
                v2 = Self.rotated(v2, 32)
            }
        }

        private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 {
            value << bits | value >> (64 - bits)
        }
    }
}
