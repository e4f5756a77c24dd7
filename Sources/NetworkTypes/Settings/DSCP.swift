/// The differentiated services code point of packets (RFC 2474 section 3): how routers are to treat them.
public struct DSCP: Hashable, Sendable {
    /// The code point, 0 to 63.
    public let value: UInt8

    /// Fails for a number above 63.
    public init?(_ value: Int) {
        guard (0...63).contains(value) else { return nil }
        self.value = UInt8(value)
    }

    /// The code point of a name, in lower case: `ef` (RFC 3246), `cs0` to `cs7` (RFC 2474), `af11` to `af43` (RFC
    /// 2597), `va` (RFC 5865), `le` (RFC 8622). Fails for any other text.
    public init?(named name: String) {
        guard let value = Self.names[name] else { return nil }
        self.value = value
    }

    /// The byte of the IP header that has the code point in its upper six bits.
    public var trafficClass: Int { Int(value) << 2 }

    /// Every name, in the order of the code points.
    public static let allNames = names.map(\.key).sorted { (names[$0] ?? 0) < (names[$1] ?? 0) }

    private static let names: [String: UInt8] = {
        var names: [String: UInt8] = ["ef": 46, "va": 44, "le": 1]
        for selector in 0..<8 { names["cs\(selector)"] = UInt8(selector * 8) }
        for group in 1...4 {
            for precedence in 1...3 { names["af\(group)\(precedence)"] = UInt8(group * 8 + precedence * 2) }
        }
        return names
    }()
}

extension DSCP: CustomStringConvertible {
    /// The name, or the number of a code point without one.
    public var description: String { Self.names.first { $0.value == value }?.key ?? "\(value)" }
}
