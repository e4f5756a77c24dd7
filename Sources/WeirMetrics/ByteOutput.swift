/// A growing run of bytes that keeps its memory between scrapes: after the largest page it allocates no more.
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

    /// Forgets the contents, keeps the memory.
    mutating func removeAll() {
        count = 0
    }

    /// What was written.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Makes room for `amount` more bytes. The writing methods below rely on it and check nothing in release builds.
    @inline(__always)
    mutating func reserve(_ amount: Int) {
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
        if value < 10 {
            write(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
        } else {
            writeDigits(value, count: Self.digitCount(value))
        }
    }

    /// Appends exactly `digits` digits of `value`, with zeros in front.
    mutating func writeDigits(_ value: UInt64, count digits: Int) {
        assert(capacity - count >= digits)
        var rest = value
        var end = count &+ digits
        while end &- count >= 2 {
            let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
            end &-= 2
            unsafe base[end] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: pair / 10)
            unsafe base[end &+ 1] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: pair % 10)
            rest = quotient
        }
        if end > count { unsafe base[count] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10) }
        count &+= digits
    }

    /// Takes back trailing zeros of a fraction.
    mutating func removeTrailingZeros() {
        while unsafe base[count &- 1] == UInt8(ascii: "0") { count &-= 1 }
    }

    /// Number of decimal digits, by comparison: values on a page are short.
    private static func digitCount(_ value: UInt64) -> Int {
        var digits = 1
        var rest = value
        while rest >= 10_000 {
            rest /= 10_000
            digits &+= 4
        }
        if rest >= 1000 { return digits &+ 3 }
        if rest >= 100 { return digits &+ 2 }
        return rest >= 10 ? digits &+ 1 : digits
    }
}

extension ByteOutput {
    /// The longest printed value: sign, 20 digits, point, line end.
    static var longestValue: Int { 24 }

    /// Appends `value × 10^-decimalDigits`, exactly, and the line end; ``longestValue`` bytes were reserved.
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
