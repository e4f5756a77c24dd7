/// An IPv4 or IPv6 address, without a port.
///
/// It is kept in IPv6 form in host byte order. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) and the IPv4
/// address inside are the same value, so that no rule and no table can be passed by writing the address differently.
public struct IPAddress: Hashable, Sendable {
    /// The upper 64 bits.
    public let high: UInt64
    /// The lower 64 bits.
    public let low: UInt64

    private static let mappedPrefix: UInt64 = 0x0000_ffff_0000_0000

    /// The address with these 128 bits.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its 32 bits.
    public init(v4 bits: UInt32) {
        self.init(high: 0, low: Self.mappedPrefix | UInt64(bits))
    }

    /// Whether this is an IPv4 address (or its mapped form).
    public var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }
    /// The 32 bits of an IPv4 address.
    public var v4Bits: UInt32 { UInt32(truncatingIfNeeded: low) }
    /// `0.0.0.0` or `::`: every address.
    public var isWildcard: Bool { self == .anyIPv4 || self == .anyIPv6 }
    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool { isIPv4 ? v4Bits >> 24 == 127 : self == .loopbackIPv6 }
    /// 169.254.0.0/16 or fe80::/10.
    public var isLinkLocal: Bool { isIPv4 ? v4Bits >> 16 == 0xa9fe : high >> 54 == 0xfe80 >> 6 }

    /// Whether a translator takes packets for it, and sends them to the IPv4 address in its last 32 bits: 64:ff9b::/96
    /// (RFC 6052 section 2.1).
    public var isTranslated: Bool { high == 0x0064_ff9b_0000_0000 && low >> 32 == 0 }

    /// The address that a dial reaches: Linux connects to the loopback of its family where a wildcard is dialed, and a
    /// translator to the IPv4 address inside.
    public var dialed: IPAddress {
        switch self {
        case .anyIPv4: .loopbackIPv4
        case .anyIPv6: .loopbackIPv6
        default: isTranslated ? IPAddress(v4: v4Bits) : self
        }
    }

    /// `0.0.0.0`.
    public static let anyIPv4 = IPAddress(v4: 0)
    /// `::`.
    public static let anyIPv6 = IPAddress(high: 0, low: 0)
    /// `127.0.0.1`.
    public static let loopbackIPv4 = IPAddress(v4: 0x7f00_0001)
    /// `::1`.
    public static let loopbackIPv6 = IPAddress(high: 0, low: 1)
}

extension IPAddress: CustomStringConvertible {
    /// Dotted quad, or the canonical IPv6 text of RFC 5952.
    public var description: String {
        if isIPv4 {
            let bits = v4Bits
            return "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
        }
        let groups = (0..<8).map { index -> UInt16 in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)))
        }
        let run = Self.longestZeroRun(groups)
        guard run.count > 1 else { return groups.map { String($0, radix: 16) }.joined(separator: ":") }
        let head = groups[..<run.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
        let tail = groups[run.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
        return head + "::" + tail
    }

    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var index = 0
        while index < groups.count {
            guard groups[index] == 0 else {
                index += 1
                continue
            }
            let start = index
            while index < groups.count, groups[index] == 0 { index += 1 }
            if index - start > best.count { best = start..<index }
        }
        return best
    }
}
