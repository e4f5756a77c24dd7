/// One member of a comma-separated list with parameters, such as `Accept` (RFC 9110 sections 5.6.1 and 12.4.2).
struct ListMember: Equatable {
    /// The weight in its parameter `q`.
    enum Quality: Equatable {
        /// No weight: 1.
        case absent
        /// In thousandths; what is over 1 counts as 1.
        case value(Int)
        /// Not a number.
        case invalid
    }

    /// The text before the first semicolon.
    var name: Range<Int>
    var quality = Quality.absent
    /// The values of its parameters `version`, `proto` and `encoding`, without quotes.
    var version: Range<Int>?
    var proto: Range<Int>?
    var encoding: Range<Int>?

    private static let versionName = Array("version=".utf8)
    private static let protoName = Array("proto=".utf8)
    private static let encodingName = Array("encoding=".utf8)

    /// Reads the next member and steps over its comma; nil at the end. Empty members are skipped.
    static func next(in bytes: Span<UInt8>, from position: inout Int, to end: Int) -> ListMember? {
        while position < end, bytes[position] == ASCII.comma || ASCII.isBlank(bytes[position]) { position += 1 }
        guard position < end else { return nil }
        var part = nextPart(in: bytes, from: &position, to: end)
        var member = ListMember(name: part)
        while position < end, bytes[position] == ASCII.semicolon {
            position += 1
            part = nextPart(in: bytes, from: &position, to: end)
            member.version = member.version ?? value(of: versionName, part, of: bytes)
            member.proto = member.proto ?? value(of: protoName, part, of: bytes)
            member.encoding = member.encoding ?? value(of: encodingName, part, of: bytes)
            // The first q separates parameters of the range from extensions; a second one is none of ours.
            guard member.quality == .absent, part.count >= 2, bytes[part.lowerBound + 1] == UInt8(ascii: "="),
                ASCII.lowercased(bytes[part.lowerBound]) == UInt8(ascii: "q")
            else { continue }
            member.quality = quality(bytes.trimmingBlanks(part.lowerBound + 2..<part.upperBound), of: bytes)
        }
        return member
    }

    /// The value of `part` where that is the parameter that begins with `name`.
    private static func value(of name: [UInt8], _ part: Range<Int>, of bytes: Span<UInt8>) -> Range<Int>? {
        let end = part.lowerBound + name.count
        guard part.count > name.count, bytes.matches(part.lowerBound..<end, name) else { return nil }
        let value = end..<part.upperBound
        guard value.count >= 2, bytes[value.lowerBound] == ASCII.quote, bytes[value.upperBound - 1] == ASCII.quote
        else { return value }
        return value.lowerBound + 1..<value.upperBound - 1
    }

    /// Up to the next comma or semicolon outside quotes, without blanks around it.
    private static func nextPart(in bytes: Span<UInt8>, from position: inout Int, to end: Int) -> Range<Int> {
        let start = position
        var isQuoted = false
        while position < end {
            let byte = bytes[position]
            if isQuoted, byte == ASCII.backslash {
                position += 1
            } else if byte == ASCII.quote {
                isQuoted.toggle()
            } else if !isQuoted, byte == ASCII.comma || byte == ASCII.semicolon {
                break
            }
            position += 1
        }
        // A backslash may have been the last byte.
        position = min(position, end)
        return bytes.trimmingBlanks(start..<position)
    }

    /// A decimal number. More digits than the three of RFC 9110, and numbers over 1, are taken for what they mean:
    /// Prometheus 2.49 sends `q=2`.
    private static func quality(_ value: Range<Int>, of bytes: Span<UInt8>) -> Quality {
        var thousandths = 0
        var decimals = -1
        var digits = 0
        for index in value {
            let byte = bytes[index]
            if byte == UInt8(ascii: "."), decimals < 0 {
                decimals = 0
                continue
            }
            guard ASCII.isDigit(byte) else { return .invalid }
            digits += 1
            let digit = Int(byte - UInt8(ascii: "0"))
            if decimals < 0 {
                thousandths = min(1000, thousandths * 10 + digit * 1000)
            } else if decimals < 3 {
                decimals += 1
                thousandths += digit * (decimals == 1 ? 100 : decimals == 2 ? 10 : 1)
            }
        }
        return digits == 0 ? .invalid : .value(min(thousandths, 1000))
    }
}
