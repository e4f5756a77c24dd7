/// Writes one JSON document (RFC 8259) without blanks, as far as it goes: the caller takes the bytes in pieces.
struct JSONOutput {
    private(set) var bytes: [UInt8] = []
    /// Whether a value stands in front of the next one.
    private var needsComma = false

    /// Moves what was written so far to `output`.
    mutating func flush(to output: inout [UInt8]) {
        output += bytes
        bytes.removeAll(keepingCapacity: true)
    }

    // MARK: Values

    /// An object: `body` writes its members. Without a key it stands in an array, or alone.
    mutating func object(_ key: String? = nil, _ body: (inout JSONOutput) -> Void) {
        open(key, UInt8(ascii: "{"))
        body(&self)
        close(UInt8(ascii: "}"))
    }

    /// An array: `body` writes its elements.
    mutating func array(_ key: String? = nil, _ body: (inout JSONOutput) -> Void) {
        open(key, UInt8(ascii: "["))
        body(&self)
        close(UInt8(ascii: "]"))
    }

    mutating func add(_ key: String?, _ text: String) {
        begin(key)
        bytes.append(quoted: text)
    }

    mutating func add(_ key: String?, _ number: UInt64) {
        begin(key)
        bytes += String(number).utf8
    }

    mutating func add(_ key: String?, _ number: Int64) {
        begin(key)
        bytes += String(number).utf8
    }

    mutating func add(_ key: String?, _ truth: Bool) {
        begin(key)
        bytes += (truth ? "true" : "false").utf8
    }

    /// Seconds, down to the nanosecond and exactly.
    mutating func add(_ key: String?, secondsOf nanoseconds: UInt64) {
        begin(key)
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        bytes += String(seconds).utf8
        if rest == 0 { return }
        let digits = String(rest)
        bytes.append(UInt8(ascii: "."))
        bytes += repeatElement(UInt8(ascii: "0"), count: 9 - digits.utf8.count)
        bytes += digits.utf8
        while bytes.last == UInt8(ascii: "0") { bytes.removeLast() }
    }

    // MARK: Documents in pieces

    /// Opens an object or array that a later piece closes.
    mutating func open(_ key: String? = nil, _ bracket: UInt8) {
        begin(key)
        bytes.append(bracket)
        needsComma = false
    }

    /// Closes what was opened last.
    mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func begin(_ key: String?) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        guard let key else { return }
        bytes.append(quoted: key)
        bytes.append(UInt8(ascii: ":"))
    }
}
