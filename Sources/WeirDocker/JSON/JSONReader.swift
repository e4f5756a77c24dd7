/// Reads one value of JSON (RFC 8259), within bounds: whatever the bytes are, it ends, and its memory is bounded.
///
/// FoundationEssentials has a decoder, which adds 7.5 MB to a program of 15.
package struct JSONReader {
    /// Why the bytes are no value that is read.
    package struct Fault: Error, Equatable {
        /// The words for a message.
        package let message: String
        /// How many bytes stand before it.
        package let offset: Int
    }

    /// The deepest nesting; answers of engines have seven levels.
    static let maxDepth = 32
    /// The most values: each takes far more memory than the two bytes that may stand for it. Lists of 4,096 containers
    /// have half as many.
    static let maxValues = 1 << 20

    private let bytes: [UInt8]
    private var index = 0
    private var count = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads all of the bytes as one value, with blanks around it. Pure.
    package static func read(_ bytes: [UInt8]) throws(Fault) -> JSONNode {
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        if reader.index < bytes.count { throw reader.fault("expected the end") }
        return value
    }

    private func fault(_ message: String) -> Fault { Fault(message: message, offset: index) }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    /// Whether this byte comes next; it is passed then.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(Fault) -> JSONNode {
        guard depth <= Self.maxDepth else { throw fault("nested deeper than \(Self.maxDepth) levels") }
        count += 1
        guard count <= Self.maxValues else { throw fault("found more than \(Self.maxValues) values") }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try list(depth: depth)
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "t"): return try word("true", .flag(true))
        case UInt8(ascii: "f"): return try word("false", .flag(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case let byte?: return try number(from: byte)
        case nil: throw fault("expected a value, found the end")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONNode) throws(Fault) -> JSONNode {
        for byte in word.description.utf8 {
            guard take(byte) else { throw fault("expected `\(word)`") }
        }
        return value
    }

    private mutating func number(from first: UInt8) throws(Fault) -> JSONNode {
        let start = index
        guard first == UInt8(ascii: "-") || isDigit(first) else { throw fault("expected a value") }
        while let byte = next, isDigit(byte) || "+-.eE".utf8.contains(byte) { index += 1 }
        guard index - start <= 64 else { throw fault("found a number of more than 64 characters") }
        return .number(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private mutating func list(depth: Int) throws(Fault) -> JSONNode {
        index += 1
        var items: [JSONNode] = []
        skipBlanks()
        if take(UInt8(ascii: "]")) { return .list(items) }
        while true {
            items.append(try value(depth: depth + 1))
            skipBlanks()
            if take(UInt8(ascii: "]")) { return .list(items) }
            guard take(UInt8(ascii: ",")) else { throw fault("expected `,` or `]`") }
        }
    }

    private mutating func object(depth: Int) throws(Fault) -> JSONNode {
        index += 1
        var members: [JSONNode.Member] = []
        skipBlanks()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw fault("expected a name") }
            let name = try text()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw fault("expected `:`") }
            members.append(JSONNode.Member(name: name, value: try value(depth: depth + 1)))
            skipBlanks()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw fault("expected `,` or `}`") }
        }
    }

    // MARK: Text

    /// Bytes that are no UTF-8 become U+FFFD, as halves of surrogate pairs do.
    private mutating func text() throws(Fault) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try appendEscape(to: &text)
            case ..<0x20: throw fault("found a control character in a text")
            default: text.append(byte)
            }
        }
        throw fault("found a text without an end")
    }

    private mutating func appendEscape(to text: inout [UInt8]) throws(Fault) {
        guard let byte = next else { throw fault("found a text without an end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text += Array(String(Character(try scalar())).utf8)
        default: throw fault("found an unknown escape in a text")
        }
    }

    /// The character of `\uXXXX`, or of two that are a surrogate pair.
    private mutating func scalar() throws(Fault) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        index += 2
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second) else { return Unicode.Scalar(second) ?? "\u{FFFD}" }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func hexadecimal() throws(Fault) -> UInt32 {
        guard index + 4 <= bytes.count,
            let value = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw fault("expected four hexadecimal digits") }
        index += 4
        return value
    }
}
