import NetworkTypes

/// The host that a request is for (RFC 9110 section 7.2): `Host`, or the host of an absolute target, which replaces it.
enum RequestedHost: Equatable {
    /// HTTP/1.0 without a `Host`.
    case none
    /// An address, which no name server can lead elsewhere.
    case address
    /// A name in lower case, without a final dot; empty where the field was.
    case name([UInt8])

    /// The name of this machine that is always served.
    static let localhost = Array("localhost".utf8)

    /// Reads `uri-host [":" port]` (RFC 3986 section 3.2.2).
    /// - Throws: where it is none (RFC 9112 section 3.2).
    init(_ authority: Range<Int>, of bytes: Span<UInt8>) throws(RequestError) {
        var end = authority.lowerBound
        let isBracketed = !authority.isEmpty && bytes[end] == UInt8(ascii: "[")
        let stop = isBracketed ? UInt8(ascii: "]") : UInt8(ascii: ":")
        while end < authority.upperBound, bytes[end] != stop { end += 1 }
        var host = authority.lowerBound..<end
        if isBracketed {
            guard end < authority.upperBound else { throw .malformed }
            host = authority.lowerBound + 1..<end
            end += 1
        }
        if end < authority.upperBound {
            guard bytes[end] == UInt8(ascii: ":"), bytes.allSatisfy(end + 1..<authority.upperBound, ASCII.isDigit)
            else {
                throw .malformed
            }
        }
        guard Self.isHost(host, of: bytes, isBracketed: isBracketed) else { throw .malformed }
        self = Self.host(host.map { ASCII.lowercased(bytes[$0]) }, isBracketed: isBracketed)
    }

    private static func host(_ text: [UInt8], isBracketed: Bool) -> RequestedHost {
        // A zone (RFC 6874) says by which interface.
        let literal = isBracketed ? text.prefix { $0 != UInt8(ascii: "%") } : text[...]
        if let address = IPAddress(parsing: literal), isBracketed || address.isIPv4 { return .address }
        return .name(normalized(text))
    }

    /// A name as it is compared: in lower case, without a final dot.
    static func normalized(_ name: [UInt8]) -> [UInt8] {
        let name = name.map(ASCII.lowercased)
        return name.last == UInt8(ascii: ".") ? Array(name.dropLast()) : name
    }

    /// Whether the bytes are those of a registered name, or between brackets those of an address.
    private static func isHost(_ host: Range<Int>, of bytes: Span<UInt8>, isBracketed: Bool) -> Bool {
        if isBracketed, host.isEmpty { return false }
        var index = host.lowerBound
        while index < host.upperBound {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard host.upperBound - index > 2, ASCII.hexadecimal(bytes[index + 1]) != nil,
                    ASCII.hexadecimal(bytes[index + 2]) != nil
                else { return false }
                index += 2
            } else if !isNameByte(byte), !(isBracketed && byte == UInt8(ascii: ":")) {
                return false
            }
            index += 1
        }
        return true
    }

    /// `unreserved` and `sub-delims` of RFC 3986.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "&")...UInt8(ascii: "."),
            UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
