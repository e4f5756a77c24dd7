extension IPPrefix {
    /// Why a text is no block of addresses.
    public enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        /// The part before the slash is no address.
        case malformedAddress(String)
        /// The part behind the slash is no length of that address's family.
        case malformedLength(String, expected: ClosedRange<Int>)
        /// The address has bits behind the length, so that the intended block is not clear.
        case hostBitsSet(meant: IPPrefix)

        /// The text of a message: what was expected and found.
        public var description: String {
            switch self {
            case .malformedAddress(let text): "expected an IP address, found `\(text)`"
            case .malformedLength(let text, let expected):
                "expected a length from \(expected.lowerBound) to \(expected.upperBound), found `\(text)`"
            case .hostBitsSet(let meant): "the address has bits behind the length; the block is `\(meant)`"
            }
        }
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address as the block that holds only it.
    public init(parsing text: some StringProtocol) throws(ParseError) {
        try self.init(parsing: Array(text.utf8)[...])
    }

    /// Reads a block from its bytes, as ``init(parsing:)-(StringProtocol)`` does.
    public init(parsing bytes: ArraySlice<UInt8>) throws(ParseError) {
        let slash = bytes.firstIndex(of: UInt8(ascii: "/"))
        let written = bytes[..<(slash ?? bytes.endIndex)]
        guard let address = IPAddress(parsing: written) else { throw .malformedAddress(Self.text(written)) }
        let isMappedText = address.isIPv4 && written.contains(UInt8(ascii: ":"))
        // Shorter than the mapped prefix itself it would be half IPv4 and half IPv6, which is always a mistake.
        let expected = isMappedText ? 96...128 : 0...(address.isIPv4 ? 32 : 128)
        var length = expected.upperBound
        if let slash {
            let digits = bytes[(slash + 1)...]
            guard let number = Self.length(digits), expected.contains(number) else {
                throw .malformedLength(Self.text(digits), expected: expected)
            }
            length = number
        }
        if isMappedText { length -= 96 }
        guard let prefix = IPPrefix(around: address, length: length) else {
            throw .malformedLength("\(length)", expected: expected)
        }
        guard prefix.network == address else { throw .hostBitsSet(meant: prefix) }
        self = prefix
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    /// One to three decimal digits without a leading zero.
    private static func length(_ digits: ArraySlice<UInt8>) -> Int? {
        guard let first = digits.first, digits.count <= 3 else { return nil }
        if first == UInt8(ascii: "0"), digits.count > 1 { return nil }
        var value = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }
}
