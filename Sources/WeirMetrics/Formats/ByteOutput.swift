/// A growing buffer of bytes that keeps its memory between scrapes: after the largest page it allocates no more.
@safe
struct ByteOutput: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    private(set) var capacity: Int

    init(capacity: Int) {
        self.capacity = Swift.max(capacity, 64)
        unsafe base = UnsafeMutablePointer.allocate(capacity: self.capacity)
    }

    deinit {
        unsafe base.deallocate()
    }

    /// Removes the contents and keeps the memory.
    mutating func removeAll() {
        count = 0
    }

    /// The bytes written so far; valid until the next mutation.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Makes room for `amount` more bytes and ``wideSlack`` bytes behind them. The writing methods below rely on it and
    /// check nothing in release builds.
    @inline(__always)
    mutating func reserve(_ amount: Int) {
        let amount = amount &+ Self.wideSlack
        if capacity &- count < amount { grow(by: amount) }
    }

    @inline(never)
    private mutating func grow(by amount: Int) {
        let larger = Swift.max(capacity * 2, count + amount)
        let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        unsafe fresh.initialize(from: base, count: count)
        unsafe base.deallocate()
        unsafe base = fresh
        capacity = larger
    }

    /// Bytes that ``writeWide(_:count:)`` may read behind its source and write behind its end.
    static var wideSlack: Int { 16 }

    /// Appends bytes in steps of a fixed width, which needs neither a call nor a branch for each length. Room was
    /// reserved, and ``wideSlack`` bytes behind the source may be read.
    @inline(__always)
    mutating func writeWide(_ source: UnsafeRawPointer, count length: Int) {
        assert(capacity - count >= length)
        let target = unsafe UnsafeMutableRawPointer(base + count)
        var offset = 0
        repeat {
            let piece = unsafe source.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt8>.self)
            unsafe target.storeBytes(of: piece, toByteOffset: offset, as: SIMD16<UInt8>.self)
            offset &+= 16
        } while offset < length
        count &+= length
    }

    /// Appends bytes; room was reserved.
    @inline(__always)
    mutating func write(_ source: UnsafeRawPointer, count length: Int) {
        assert(capacity - count >= length)
        unsafe UnsafeMutableRawPointer(base + count).copyMemory(from: source, byteCount: length)
        count &+= length
    }

    /// Appends one byte; room was reserved.
    @inline(__always)
    mutating func write(_ byte: UInt8) {
        assert(capacity - count >= 1)
        unsafe base[count] = byte
        count &+= 1
    }

    /// Appends an integer in decimal digits; 20 bytes were reserved.
    @inline(__always)
    mutating func write(decimal value: UInt64) {
        if value < DecimalDigits.blockLimit {
            let digits = DecimalDigits.block(value)
            // The first digit is the lowest byte. Eight zeros are one digit.
            let zeros = (digits | 1 << 56).trailingZeroBitCount / 8
            write(block: (digits | DecimalDigits.ascii) &>> UInt64(zeros &* 8), count: 8 &- zeros)
        } else {
            writeLong(value)
        }
    }

    /// Appends an integer of more than eight digits.
    @inline(never)
    private mutating func writeLong(_ value: UInt64) {
        let (high, low) = value.quotientAndRemainder(dividingBy: DecimalDigits.blockLimit)
        write(decimal: high)
        writeDigits(low, count: 8)
    }

    /// Appends exactly `digits` digits of `value`, with zeros in front.
    mutating func writeDigits(_ value: UInt64, count digits: Int) {
        assert(digits >= 1 && digits <= 16)
        if digits > 8 {
            let (high, low) = value.quotientAndRemainder(dividingBy: DecimalDigits.blockLimit)
            writeDigits(high, count: digits &- 8)
            writeDigits(low, count: 8)
        } else {
            let block = DecimalDigits.block(value) | DecimalDigits.ascii
            write(block: block &>> UInt64((8 &- digits) &* 8), count: digits)
        }
    }

    /// Stores eight bytes and keeps the first `length` of them.
    @inline(__always)
    private mutating func write(block: UInt64, count length: Int) {
        assert(capacity - count >= 8)
        unsafe UnsafeMutableRawPointer(base + count).storeBytes(of: block.littleEndian, as: UInt64.self)
        count &+= length
    }

    /// Removes the trailing zeros of a fraction.
    mutating func removeTrailingZeros() {
        while unsafe base[count &- 1] == UInt8(ascii: "0") { count &-= 1 }
    }
}

extension ByteOutput {
    /// The maximum length of a printed value in bytes: sign, 20 digits, point, line end.
    static var maxValueLength: Int { 24 }

    /// Appends `value × 10^-decimalDigits`, exactly, and the line end; ``maxValueLength`` bytes were reserved.
    @inline(__always)
    mutating func writeLine(_ value: UInt64, scale: MetricDescriptor.Scale) {
        if scale.decimalDigits == 0 {
            write(decimal: value)
        } else {
            writeScaled(value, decimalDigits: scale.decimalDigits)
        }
        write(UInt8(ascii: "\n"))
    }

    /// The same for a signed value.
    @inline(__always)
    mutating func writeLine(signed value: Int64, scale: MetricDescriptor.Scale) {
        if value < 0 { write(UInt8(ascii: "-")) }
        writeLine(value.magnitude, scale: scale)
    }

    private mutating func writeScaled(_ value: UInt64, decimalDigits: Int) {
        let divisor: UInt64 =
            switch decimalDigits {
            case 9: 1_000_000_000
            case 6: 1_000_000
            default: 1000
            }
        let (whole, fraction) = value.quotientAndRemainder(dividingBy: divisor)
        write(decimal: whole)
        guard fraction != 0 else { return }
        write(UInt8(ascii: "."))
        writeDigits(fraction, count: decimalDigits)
        removeTrailingZeros()
    }
}
