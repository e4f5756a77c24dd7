import LinuxIO
import NetworkTypes

extension ProxyHeaderParser {
    private enum Word {
        static let tcp4 = Array("TCP4".utf8)
        static let tcp6 = Array("TCP6".utf8)
        static let unknown = Array("UNKNOWN".utf8)
    }

    private static let space = UInt8(ascii: " ")
    private static let carriageReturn: UInt8 = 0x0d
    private static let lineFeed: UInt8 = 0x0a

    /// Parses the line of version 1 after its first word. One space separates two fields; numbers have no leading zero.
    static func parseV1(_ bytes: Span<UInt8>) -> ProxyHeaderScan {
        guard let end = endOfLine(bytes) else { return parsePartialV1(bytes) }
        var line: [UInt8] = []
        line.reserveCapacity(end)
        for index in beginningOfV1.count..<end { line.append(bytes[index]) }
        let fields = line.split(separator: space, omittingEmptySubsequences: false)
        let length = end + 2
        switch fields.first.map(Array.init) {
        case Word.unknown: return .complete(ProxyHeader(version: .v1, length: length, addresses: nil))
        case Word.tcp4: return addresses(fields, isIPv6: false, length: length)
        case Word.tcp6: return addresses(fields, isIPv6: true, length: length)
        default: return .invalid(.unsupportedFamily)
        }
    }

    /// Returns the offset of the CRLF within the longest line; nil where there is none.
    private static func endOfLine(_ bytes: Span<UInt8>) -> Int? {
        let limit = min(bytes.count, ProxyHeader.maxLengthV1)
        var index = beginningOfV1.count
        while index + 1 < limit {
            if bytes[index] == carriageReturn, bytes[index + 1] == lineFeed { return index }
            index += 1
        }
        return nil
    }

    /// Parses a line without its end, and refuses it as soon as no further bytes could make it valid.
    private static func parsePartialV1(_ bytes: Span<UInt8>) -> ProxyHeaderScan {
        let start = beginningOfV1.count
        var word: [UInt8] = []
        var index = start
        while index < bytes.count, index < start + Word.unknown.count, bytes[index] != space {
            word.append(bytes[index])
            index += 1
        }
        let isWholeWord = index < bytes.count
        let isKnown = [Word.tcp4, Word.tcp6, Word.unknown].contains { candidate in
            isWholeWord || word.last == carriageReturn
                ? word.prefix { $0 != carriageReturn }.elementsEqual(candidate) : candidate.starts(with: word)
        }
        guard isKnown else { return .invalid(.unsupportedFamily) }
        if bytes.count >= ProxyHeader.maxLengthV1 { return .invalid(.tooLong) }
        if !isWholeWord || word == Word.unknown { return .incomplete }
        while index < bytes.count {
            let isEnd = bytes[index] == carriageReturn && index == bytes.count - 1
            guard isEnd || isPartOfAddress(bytes[index]) else { return .invalid(.malformed) }
            index += 1
        }
        return .incomplete
    }

    /// Whether a byte may occur in the fields after the family.
    private static func isPartOfAddress(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: ":"), space:
            true
        default: false
        }
    }

    private static func addresses(_ fields: [ArraySlice<UInt8>], isIPv6: Bool, length: Int) -> ProxyHeaderScan {
        guard fields.count == 5, let source = address(fields[1], isIPv6: isIPv6),
            let destination = address(fields[2], isIPv6: isIPv6), let sourcePort = port(fields[3]),
            let destinationPort = port(fields[4])
        else { return .invalid(.malformed) }
        return .complete(
            ProxyHeader(
                version: .v1, length: length,
                addresses: .init(
                    source: SocketAddress(source, port: sourcePort),
                    destination: SocketAddress(destination, port: destinationPort))))
    }

    /// Parses an address of the stated family. An IPv4-mapped address counts as IPv6.
    private static func address(_ field: ArraySlice<UInt8>, isIPv6: Bool) -> IPAddress? {
        guard field.allSatisfy(isPartOfAddress), field.contains(UInt8(ascii: ":")) == isIPv6 else { return nil }
        return IPAddress(String(decoding: field, as: UTF8.self))
    }

    private static func port(_ field: ArraySlice<UInt8>) -> UInt16? {
        guard let first = field.first, field.count <= 5, first != UInt8(ascii: "0") || field.count == 1 else {
            return nil
        }
        var value = 0
        for digit in field {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return UInt16(exactly: value)
    }
}
