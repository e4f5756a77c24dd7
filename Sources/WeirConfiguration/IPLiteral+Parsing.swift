extension IPLiteral {
    /// Reads an IP address: a strict dotted quad (four decimal numbers, no leading zeros, because C reads those as
    /// octal), or IPv6 as in RFC 4291 section 2.2, optionally with `%scope` (RFC 4007 section 11).
    ///
    /// Throws a ``ValueError`` with what was found; never traps, whatever the bytes are.
    init(parsing text: ArraySlice<UInt8>) throws(ValueError) {
        let shown = quoted(String(decoding: text, as: UTF8.self))
        guard text.contains(UInt8(ascii: ":")) else {
            guard let octets = IPLiteral.parseIPv4(text) else {
                throw ValueError("expected an IP address, found \(shown)")
            }
            self.init(bytes: octets, scope: nil)
            return
        }
        var address = text
        var scope: String?
        if let percent = text.firstIndex(of: UInt8(ascii: "%")) {
            address = text[..<percent]
            let zone = text[(percent + 1)...]
            // An interface's name has at most 15 bytes (IFNAMSIZ with its NUL).
            guard (1...15).contains(zone.count), zone.allSatisfy(IPLiteral.isScopeByte) else {
                throw ValueError("expected an interface such as `%eth0` behind the address, found \(shown)")
            }
            scope = String(decoding: zone, as: UTF8.self)
        }
        guard let bytes = IPLiteral.parseIPv6(address) else {
            throw ValueError("expected an IPv6 address, found \(shown)")
        }
        self.init(bytes: bytes, scope: scope)
    }

    /// Reads an IP address from text. Nil if it is not one.
    public init?(_ text: String) {
        do {
            try self.init(parsing: Array(text.utf8)[...])
        } catch {
            return nil
        }
    }

    private static func isScopeByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }

    private static func parseIPv4(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count <= 15 else { return nil }
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var octets: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy(isDigit) else { return nil }
            if part.count > 1 && part[part.startIndex] == UInt8(ascii: "0") { return nil }
            let value = part.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
            guard let octet = UInt8(exactly: value) else { return nil }
            octets.append(octet)
        }
        return octets
    }

    private static func parseIPv6(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        // The longest form is six groups and a dotted quad: 45 bytes.
        guard (2...45).contains(text.count) else { return nil }
        let colon = UInt8(ascii: ":")
        var gap: ArraySlice<UInt8>.Index?
        var index = text.startIndex
        while index + 1 < text.endIndex {
            if text[index] == colon && text[index + 1] == colon {
                guard gap == nil else { return nil }
                gap = index
                index += 1
            }
            index += 1
        }
        guard let gap else {
            guard let bytes = parseGroups(text, mayEndInIPv4: true), bytes.count == 16 else { return nil }
            return bytes
        }
        guard let head = parseGroups(text[..<gap], mayEndInIPv4: false),
            let tail = parseGroups(text[(gap + 2)...], mayEndInIPv4: true),
            head.count + tail.count <= 14
        else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// Reads `x:x:x`, where the last may be a dotted quad. Nothing at all is no groups.
    private static func parseGroups(_ text: ArraySlice<UInt8>, mayEndInIPv4: Bool) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count <= 8 else { return nil }
        var bytes: [UInt8] = []
        for (position, part) in parts.enumerated() {
            if part.contains(UInt8(ascii: ".")) {
                guard mayEndInIPv4, position == parts.count - 1, let octets = parseIPv4(part) else { return nil }
                bytes += octets
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var group: UInt16 = 0
            for byte in part {
                guard let digit = hexadecimalDigit(byte) else { return nil }
                group = group << 4 | UInt16(digit)
            }
            bytes += [UInt8(group >> 8), UInt8(group & 0xff)]
        }
        return bytes
    }
}
