import NetworkTypes

extension AllowedDestination {
    private static let example =
        "a destination such as `tcp:127.0.0.1:22`, `udp:10.0.0.0/8:53` or "
        + "`tcp:[2001:db8::]/32:8000-8100`"

    /// Reads `tcp:127.0.0.1:22`, `udp:10.0.0.0/8:53`, `tcp:[2001:db8::]/32:8000-8100`.
    init(configured text: String) throws(ValueError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let transport = Transport(rawValue: String(parts[0])) else {
            throw ValueError("expected \(Self.example), found \(quoted(text))")
        }
        let rest = Array(parts[1].utf8)
        guard let colon = rest.lastIndex(of: UInt8(ascii: ":")) else {
            throw ValueError("expected \(Self.example), found \(quoted(text)) without a port")
        }
        let (block, digits) = (rest[..<colon], String(decoding: rest[(colon + 1)...], as: UTF8.self))
        guard let mapping = try? PortMapping(parsing: digits), mapping.listen.lowerBound > 0 else {
            throw ValueError("expected a port or a range such as `8000-8100` at the end, found \(quoted(text))")
        }
        self.init(transport, try Self.block(block, in: text), ports: mapping.listen)
    }

    /// Reads an address or a block; one of IPv6 has its address in brackets.
    private static func block(_ bytes: ArraySlice<UInt8>, in text: String) throws(ValueError) -> IPPrefix {
        var plain = bytes
        let isBracketed = bytes.first == UInt8(ascii: "[")
        if isBracketed {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else {
                throw ValueError("expected `]` behind the address, found \(quoted(text))")
            }
            plain = (bytes[bytes.index(after: bytes.startIndex)..<end] + bytes[(end + 1)...])[...]
        }
        let written = String(decoding: plain, as: UTF8.self)
        guard plain.contains(UInt8(ascii: ":")) == isBracketed else {
            throw ValueError(
                "expected an IPv6 address in brackets, and no other, such as `tcp:[2001:db8::7]:22`, found "
                    + quoted(text))
        }
        if !written.isEmpty, !written.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }) {
            throw ValueError(
                "expected an IP address or a block, found \(quoted(text)): names are judged by the address that they "
                    + "stand for")
        }
        return try IPPrefix(configured: written)
    }
}

extension CertificatePin {
    /// Reads 64 hexadecimal digits, perhaps with colons between the bytes, as OpenSSL writes them.
    init(configured text: String) throws(ValueError) {
        let digits = text.utf8.filter { $0 != UInt8(ascii: ":") }.map { hexadecimalDigit($0) }
        let values = digits.compactMap(\.self)
        guard values.count == 64, digits.count == 64 else {
            throw ValueError(
                "expected the SHA-256 of a certificate in 64 hexadecimal digits, found \(quoted(text)): `openssl x509 "
                    + "-in cert.pem -noout -fingerprint -sha256` prints it")
        }
        self.init(stride(from: 0, to: 64, by: 2).map { values[$0] << 4 | values[$0 + 1] })
    }
}
