/// The checksum of a PROXY header (RFC 4960 appendix B; Castagnoli's polynomial, reflected).
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
    }

    /// Returns the checksum of all bytes. The bytes of `zeroed`, which hold the checksum itself, count as zero.
    static func checksum(of bytes: Span<UInt8>, zeroing zeroed: Range<Int> = 0..<0) -> UInt32 {
        var value = UInt32.max
        for index in 0..<bytes.count {
            let byte = zeroed.contains(index) ? 0 : bytes[index]
            value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
        }
        return ~value
    }
}
