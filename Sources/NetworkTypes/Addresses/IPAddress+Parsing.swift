extension IPAddress {
    /// Reads an address literal: a dotted quad without leading zeros, or IPv6 text (RFC 4291 section 2.2). No scope,
    /// no brackets, no name.
    public init?(_ text: some StringProtocol) {
        self.init(parsing: Array(text.utf8)[...])
    }

    /// Reads an address literal from its bytes, as ``init(_:)`` does.
    public init?(parsing bytes: ArraySlice<UInt8>) {
        if bytes.contains(UInt8(ascii: ":")) {
            guard let address = Self.parseIPv6(bytes) else { return nil }
            self = address
        } else {
            guard let bits = Self.parseIPv4(bytes) else { return nil }
            self.init(v4: bits)
        }
    }

    static func parseIPv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard let octet = decimalOctet(part) else { return nil }
            bits = bits << 8 | octet
        }
        return bits
    }

    private static func decimalOctet(_ digits: ArraySlice<UInt8>) -> UInt32? {
        guard let first = digits.first, digits.count <= 3 else { return nil }
        if first == UInt8(ascii: "0"), digits.count > 1 { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
        }
        return value <= 255 ? value : nil
    }

    private static func parseIPv6(_ bytes: ArraySlice<UInt8>) -> IPAddress? {
        guard bytes.count <= 45 else { return nil }
        // At most one "::"; what stands before and behind it are plain groups.
        var gap: Int?
        for index in bytes.indices.dropLast() where bytes[index] == colon && bytes[index + 1] == colon {
            if gap != nil { return nil }
            gap = index
        }
        guard let gap else {
            guard let groups = groups(bytes), groups.count == 8 else { return nil }
            return IPAddress(groups: groups)
        }
        guard let head = groups(bytes[..<gap], canHoldIPv4: false), let tail = groups(bytes[(gap + 2)...]),
            head.count + tail.count <= 7
        else { return nil }
        return IPAddress(groups: head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
    }

    private static var colon: UInt8 { UInt8(ascii: ":") }

    private static func groups(_ bytes: ArraySlice<UInt8>, canHoldIPv4: Bool = true) -> [UInt16]? {
        if bytes.isEmpty { return [] }
        var result: [UInt16] = []
        let parts = bytes.split(separator: colon, omittingEmptySubsequences: false)
        guard parts.count <= 8 else { return nil }
        for (index, part) in parts.enumerated() {
            if canHoldIPv4, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let bits = parseIPv4(part) else { return nil }
                result += [UInt16(bits >> 16), UInt16(bits & 0xffff)]
            } else {
                guard let group = hexadecimalGroup(part) else { return nil }
                result.append(group)
            }
        }
        return result
    }

    private static func hexadecimalGroup(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard !digits.isEmpty, digits.count <= 4 else { return nil }
        var value: UInt16 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt16(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt16(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt16(digit - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }

    private init(groups: [UInt16]) {
        self.init(
            high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
            low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
    }
}
