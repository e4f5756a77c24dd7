/// A block of addresses as it is written in a file: `10.0.0.0/8`, `2001:db8::/32`, or one address.
public struct IPBlock: Sendable, Hashable {
    /// The first address. Never an IPv4-mapped one: those are turned into IPv4.
    public let network: IPLiteral
    /// How many leading bits the addresses share.
    public let length: Int

    /// Whether it holds every address of its family.
    public var isEverything: Bool { length == 0 }

    /// Reads a block. Throws a ``ValueError`` with what was found; never traps, whatever the text is.
    init(parsing text: String) throws(ValueError) {
        let bytes = Array(text.utf8)
        let slash = bytes.firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        let written = try IPLiteral(parsing: bytes[..<slash])
        if written.scope != nil {
            throw ValueError("expected an address or a block without an interface, found \(quoted(text))")
        }
        let bits = written.bytes.count * 8
        var length = bits
        if slash < bytes.count {
            length = try Self.length(bytes[(slash + 1)...], in: written.isIPv4Mapped ? 96...bits : 0...bits, text)
        }
        let network = Self.masked(written, length)
        if network != written {
            throw ValueError(
                "found an address with bits behind the length in \(quoted(text))", suggestion: "\(network)/\(length)")
        }
        self.network = written.unmapped
        self.length = written.isIPv4Mapped ? length - 96 : length
    }

    private static func length(
        _ digits: ArraySlice<UInt8>, in range: ClosedRange<Int>, _ text: String
    ) throws(ValueError) -> Int {
        let expected = "a length from \(range.lowerBound) to \(range.upperBound) behind the `/`"
        guard digits.first != UInt8(ascii: "0") || digits.count == 1, digits.count <= 3 else {
            throw ValueError("expected \(expected), found \(quoted(text))")
        }
        return try parseCount(String(decoding: digits, as: UTF8.self), in: range, expected: expected)
    }

    private static func masked(_ address: IPLiteral, _ length: Int) -> IPLiteral {
        let bytes = address.bytes.enumerated().map { index, byte -> UInt8 in
            let kept = min(max(length - index * 8, 0), 8)
            return kept == 0 ? 0 : byte & ~(UInt8.max >> UInt8(kept))
        }
        return IPLiteral(bytes: bytes, scope: nil)
    }
}

extension IPBlock: CustomStringConvertible {
    /// `10.0.0.0/8`.
    public var description: String { "\(network)/\(length)" }
}
