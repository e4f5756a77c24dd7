import LinuxIO

extension IPPrefix {
    /// Why a text is no block of addresses.
    public enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        /// What stands before the slash is no address.
        case malformedAddress(String)
        /// What stands behind the slash is no length of that address's family.
        case malformedLength(String, most: Int)
        /// The address has bits behind the length, so that it is not clear what was meant.
        case hostBitsSet(meant: IPPrefix)

        /// What was found and expected, for a message.
        public var description: String {
            switch self {
            case .malformedAddress(let text): "expected an IP address, found `\(text)`"
            case .malformedLength(let text, let most): "expected a length from 0 to \(most), found `\(text)`"
            case .hostBitsSet(let meant): "the address has bits behind the length; the block is `\(meant)`"
            }
        }
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address as the block that holds only it.
    public init(parsing text: some StringProtocol) throws(ParseError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { throw .malformedAddress(String(parts[0])) }
        let isMappedText = address.isIPv4 && parts[0].contains(":")
        let most = address.isIPv4 && !isMappedText ? 32 : 128
        var length = most
        if parts.count == 2 {
            guard let written = Self.length(parts[1]), written <= most else {
                throw .malformedLength(String(parts[1]), most: most)
            }
            length = written
        }
        if isMappedText {
            // Shorter than the mapped prefix itself it would be half IPv4 and half IPv6: nobody means that.
            guard length >= 96 else { throw .malformedLength("\(length)", most: most) }
            length -= 96
        }
        guard let prefix = IPPrefix(around: address, length: length) else {
            throw .malformedLength("\(length)", most: most)
        }
        guard prefix.network == address else { throw .hostBitsSet(meant: prefix) }
        self = prefix
    }

    /// One to three decimal digits without a leading zero.
    private static func length(_ digits: some StringProtocol) -> Int? {
        let bytes = Array(digits.utf8)
        guard let first = bytes.first, bytes.count <= 3 else { return nil }
        if first == UInt8(ascii: "0"), bytes.count > 1 { return nil }
        var value = 0
        for byte in bytes {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }
}
