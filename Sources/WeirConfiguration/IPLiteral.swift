/// An IP address as it is written in a file: no name, no port.
public struct IPLiteral: Sendable, Hashable {
    /// 4 bytes for IPv4, 16 for IPv6, in network order.
    public let bytes: [UInt8]
    /// The part behind `%`, an interface's name or number; only link-local IPv6 addresses have one.
    public let scope: String?

    /// Makes an IPv4 address.
    public static func ipv4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> IPLiteral {
        IPLiteral(bytes: [a, b, c, d], scope: nil)
    }

    /// Makes an IPv6 address from 16 bytes in network order.
    public static func ipv6(_ bytes: [UInt8], scope: String? = nil) -> IPLiteral {
        precondition(bytes.count == 16, "an IPv6 address has 16 bytes")
        return IPLiteral(bytes: bytes, scope: scope)
    }

    /// `0.0.0.0`.
    public static let anyIPv4 = IPLiteral.ipv4(0, 0, 0, 0)
    /// `::`.
    public static let anyIPv6 = IPLiteral.ipv6([UInt8](repeating: 0, count: 16))
    /// `::1`.
    public static let loopbackIPv6 = IPLiteral.ipv6([UInt8](repeating: 0, count: 15) + [1])

    init(bytes: [UInt8], scope: String?) {
        self.bytes = bytes
        self.scope = scope
    }

    /// Whether it is an IPv6 address (an IPv4-mapped one included).
    public var isIPv6: Bool { bytes.count == 16 }
    /// Whether it is `0.0.0.0` or `::`.
    public var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }
    /// Whether it never leaves the machine: `127.0.0.0/8`, `::1`, or the mapped form of the former.
    public var isLoopback: Bool {
        let plain = unmapped
        return plain.isIPv6 ? plain == .loopbackIPv6 : plain.bytes[0] == 127
    }
    /// Whether it is in `fe80::/10`, and so means nothing without an interface.
    public var isLinkLocalIPv6: Bool { isIPv6 && bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 }
    /// Whether it is in `::ffff:0:0/96`: an IPv4 address in IPv6 clothes.
    public var isIPv4Mapped: Bool {
        isIPv6 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
    }
    /// The IPv4 address within an IPv4-mapped one; every other address as it is.
    public var unmapped: IPLiteral { isIPv4Mapped ? IPLiteral(bytes: Array(bytes[12...]), scope: nil) : self }
    /// With brackets if it is IPv6, ready for a `:port` behind it.
    public var bracketed: String { isIPv6 ? "[\(description)]" : description }

    /// Refuses a link-local address without its interface, and an interface on any other address: the kernel would
    /// refuse the first with a bare "invalid argument", and ignore the second.
    func checkedScope() throws(ValueError) -> IPLiteral {
        if isLinkLocalIPv6 && scope == nil {
            throw ValueError(
                "found the link-local address `\(self)` without its interface, expected one such as `\(self)%eth0`")
        }
        if scope != nil && !isLinkLocalIPv6 {
            throw ValueError("found an interface in `\(self)`, which only link-local addresses (fe80::/10) have")
        }
        return self
    }
}

extension IPLiteral: CustomStringConvertible {
    /// Canonical text: dotted quad, or RFC 5952 for IPv6.
    public var description: String {
        guard isIPv6 else { return bytes.map { "\($0)" }.joined(separator: ".") }
        let suffix = scope.map { "%\($0)" } ?? ""
        if isIPv4Mapped { return "::ffff:\(unmapped)" + suffix }
        let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        func text(_ slice: ArraySlice<UInt16>) -> String {
            slice.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard let zeros = IPLiteral.longestZeroRun(groups) else { return text(groups[...]) + suffix }
        return text(groups[..<zeros.lowerBound]) + "::" + text(groups[zeros.upperBound...]) + suffix
    }

    /// RFC 5952, 4.2: the first of the longest runs of at least two zero groups becomes `::`.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count && groups[end] == 0 { end += 1 }
            if end - start >= 2 && end - start > (best?.count ?? 0) { best = start..<end }
            start = max(end, start + 1)
        }
        return best
    }
}
