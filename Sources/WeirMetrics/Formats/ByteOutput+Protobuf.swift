/// Writing in the wire format of Protocol Buffers. Source: "Encoding" in their documentation.
extension ByteOutput {
    /// The maximum length of a varint in bytes: 64 bits, seven to a byte.
    static var maxVarintLength: Int { 10 }

    /// Appends an unsigned integer in base 128, the lowest seven bits first; ``maxVarintLength`` bytes were reserved.
    @inline(__always)
    mutating func write(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            write(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        write(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a signed integer so that small magnitudes stay short (`sint32`, `sint64`).
    @inline(__always)
    mutating func write(zigzag value: Int64) {
        write(varint: UInt64(bitPattern: value &<< 1 ^ value &>> 63))
    }

    /// Appends a double as eight bytes, the lowest first; they were reserved.
    @inline(__always)
    mutating func write(fixed value: Double) {
        let bits = value.bitPattern.littleEndian
        unsafe withUnsafeBytes(of: bits) { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe write(start, count: bytes.count)
        }
    }

    /// Appends the contents of another output.
    @inline(__always)
    mutating func append(_ other: borrowing ByteOutput) {
        reserve(other.count)
        guard let start = unsafe other.bytes.baseAddress else { return }
        unsafe write(start, count: other.count)
    }
}

extension UInt64 {
    /// Its length as a varint in bytes.
    var varintLength: Int { (70 &- Swift.min(leadingZeroBitCount, 63)) / 7 }

    /// ``ByteOutput/write(zigzag:)``'s number.
    init(zigzag value: Int64) { self = UInt64(bitPattern: value &<< 1 ^ value &>> 63) }
}

extension [UInt8] {
    /// Appends a varint; for texts that are encoded once, at registration.
    mutating func append(varint value: Int) {
        var rest = UInt64(value)
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Appends a field of bytes with its tag and length.
    mutating func append(field tag: UInt8, _ bytes: some Collection<UInt8>) {
        append(tag)
        append(varint: bytes.count)
        append(contentsOf: bytes)
    }
}
