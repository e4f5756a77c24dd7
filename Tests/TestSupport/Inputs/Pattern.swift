/// Bytes that differ at every offset, so that a lost, doubled or moved block is detected.
package enum Pattern {
    /// A prime, so that no buffer's length divides it.
    private static let blockBytes = 65_537

    package static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        let block = randomBlock(min(count, blockBytes), seed: seed)
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            let start = result.count
            result.append(contentsOf: block.prefix(count - start))
            // Each block begins with its own number, or all of them would be alike.
            withUnsafeBytes(of: UInt64(start).littleEndian) { number in
                for (offset, byte) in number.enumerated() where start + offset < count {
                    result[start + offset] ^= byte
                }
            }
        }
        return result
    }

    /// Marsaglia's xorshift: the same on every machine and in every run.
    private static func randomBlock(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in 0..<count {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                buffer[index] = UInt8(truncatingIfNeeded: state >> 24)
            }
            initialized = count
        }
    }
}
