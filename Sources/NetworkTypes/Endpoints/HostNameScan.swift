/// Reads a host name byte by byte: labels of 1 to 63 letters, digits, hyphens and underscores, separated by dots; at
/// most 253 bytes. A name of digits and dots alone is an IP address (inet_aton(3)), not a host name.
///
/// A dot at the end is refused: a server name is sent "without a trailing dot" (RFC 6066, section 3).
package struct HostNameScan {
    private static let maxCount = 253
    private static let maxLabelCount = 63
    private static let dot = UInt8(ascii: ".")

    private var count = 0
    private var labelCount = 0
    private var isNumeric = true

    /// Begins a name.
    package init() {}

    /// Whether the bytes so far are a host name.
    package var isName: Bool { labelCount > 0 && !isNumeric }

    /// Returns the byte in lower case; nil where no host name has it here.
    package mutating func next(_ byte: UInt8) -> UInt8? {
        count += 1
        guard count <= Self.maxCount else { return nil }
        if byte == Self.dot {
            guard labelCount > 0 else { return nil }
            labelCount = 0
            return byte
        }
        labelCount += 1
        guard labelCount <= Self.maxLabelCount else { return nil }
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            isNumeric = false
            return byte
        case UInt8(ascii: "A")...UInt8(ascii: "Z"):
            isNumeric = false
            return byte | 0x20
        default: return nil
        }
    }
}
