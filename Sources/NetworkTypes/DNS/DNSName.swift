/// A name of the domain name system in the form of messages (RFC 1035 section 3.1): labels of 1 to 63 bytes with their
/// lengths in front, and the empty label of the root at the end. Names that differ in case only are equal (RFC 4343).
package struct DNSName: Sendable {
    /// The labels with their lengths, the root's zero included; letters are as they were written.
    package let bytes: [UInt8]

    /// The bound on bytes of a name in a message (section 2.3.4).
    private static let maxLength = 255
    private static let maxLabelLength = 63

    /// The name that a text writes, with or without a dot at its end; `.` is the root.
    ///
    /// Labels consist of printable ASCII without spaces. Nil for any other text: there are no escapes.
    package init?(_ text: String) {
        let utf8 = text.utf8
        if utf8.elementsEqual([Self.dot]) {
            bytes = [0]
            return
        }
        let name = utf8.last == Self.dot ? utf8.dropLast() : utf8[...]
        // The length of the first label, and the root's, stand in no text.
        guard name.count <= Self.maxLength - 2 else { return nil }
        var bytes: [UInt8] = []
        for label in name.split(separator: Self.dot, omittingEmptySubsequences: false) {
            guard (1...Self.maxLabelLength).contains(label.count), label.allSatisfy(Self.isPlain) else { return nil }
            bytes.append(UInt8(truncatingIfNeeded: label.count))
            bytes.append(contentsOf: label)
        }
        self.bytes = bytes + [0]
    }

    /// A name read from a message.
    fileprivate init(wire bytes: [UInt8]) { self.bytes = bytes }

    /// Whether this is the root.
    package var isRoot: Bool { bytes.count == 1 }

    /// The labels with dots between them, in lower case, without one at the end. Nil for the root, and where a label
    /// has bytes that ``init(_:)`` does not take.
    package var text: String? {
        var text: [UInt8] = []
        var rest = bytes[...]
        while let length = rest.popFirst(), length > 0 {
            let label = rest.prefix(Int(length))
            guard label.allSatisfy({ Self.isPlain($0) && $0 != Self.dot }) else { return nil }
            if !text.isEmpty { text.append(Self.dot) }
            text += label.lazy.map(Self.lowercased)
            rest = rest.dropFirst(Int(length))
        }
        return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
    }

    private static let dot = UInt8(ascii: ".")

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "\\")
    }

    /// The byte in lower case. Lengths of labels are no letters, and stay.
    static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

extension DNSName: Hashable {
    /// Whether both are the same name, in any case.
    package static func == (a: DNSName, b: DNSName) -> Bool {
        a.bytes.count == b.bytes.count && zip(a.bytes, b.bytes).allSatisfy { lowercased($0) == lowercased($1) }
    }

    /// Hashes the name in lower case.
    package func hash(into hasher: inout Hasher) {
        for byte in bytes { hasher.combine(Self.lowercased(byte)) }
    }
}

extension DNSName {
    /// The two high bits of a length: none for a label, both for a pointer (section 4.1.4).
    private static let pointerBits: UInt8 = 0xc0
    /// A name has 127 labels at most, and no use for more pointers.
    private static let maxPointers = 127

    /// The offset behind the name at `start` of a message; nil where it leaves the message. Pointers are not followed.
    static func end(in message: ArraySlice<UInt8>, at start: Int) -> Int? {
        var offset = start
        while offset < message.count {
            let length = message[message.startIndex + offset]
            switch length & pointerBits {
            case 0:
                offset += 1 + Int(length)
                if length == 0 { return offset }
            case pointerBits: return offset + 2
            default: return nil
            }
        }
        return nil
    }

    /// Reads the name at `start` of a message, along its pointers. The target of each must stand before all that was
    /// read so far, so that there is no loop. Nil where the name leaves the message or is too long.
    init?(in message: ArraySlice<UInt8>, at start: Int) {
        var bytes: [UInt8] = []
        var offset = start
        var lowest = start
        var pointers = 0
        while offset < message.count {
            let length = message[message.startIndex + offset]
            switch length & Self.pointerBits {
            case 0:
                let end = offset + 1 + Int(length)
                guard end <= message.count, bytes.count + 1 + Int(length) <= Self.maxLength else { return nil }
                bytes += message[(message.startIndex + offset)..<(message.startIndex + end)]
                if length == 0 {
                    self.init(wire: bytes)
                    return
                }
                offset = end
            case Self.pointerBits:
                guard offset + 1 < message.count, pointers < Self.maxPointers else { return nil }
                let target = Int(length & ~Self.pointerBits) << 8 | Int(message[message.startIndex + offset + 1])
                guard target < lowest else { return nil }
                lowest = target
                offset = target
                pointers += 1
            default: return nil
            }
        }
        return nil
    }
}
