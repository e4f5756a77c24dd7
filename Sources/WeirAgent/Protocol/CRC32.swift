/// The CRC-32 of Ethernet and gzip (ISO/IEC 8802-3, RFC 1952 section 8): polynomial 0x04c11db7, bits reflected.
enum CRC32 {
    /// One entry for each half of a byte: a header is 271 bytes, and a larger table gains nothing.
    private static let table: InlineArray<16, UInt32> = [
        0x0000_0000, 0x1db7_1064, 0x3b6e_20c8, 0x26d9_30ac, 0x76dc_4190, 0x6b6b_51f4, 0x4db2_6158, 0x5005_713c,
        0xedb8_8320, 0xf00f_9344, 0xd6d6_a3e8, 0xcb61_b38c, 0x9b64_c2b0, 0x86d3_d2d4, 0xa00a_e278, 0xbdbd_f21c,
    ]

    /// The checksum of the first `count` bytes. There are at least as many.
    static func checksum(of bytes: Span<UInt8>, count: Int) -> UInt32 {
        var value = UInt32.max
        for index in 0..<count {
            value ^= UInt32(bytes[index])
            value = value >> 4 ^ table[Int(value & 15)]
            value = value >> 4 ^ table[Int(value & 15)]
        }
        return ~value
    }
}
