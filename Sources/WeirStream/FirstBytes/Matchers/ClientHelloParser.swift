import NetworkTypes

/// Parses the TLS ClientHello at the beginning of a stream (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2). Pure:
/// each call parses from the beginning, and no state is kept. It takes time in proportion to the bytes, and allocates
/// nothing.
///
/// A hello may be cut into records at any byte. Only its server name and its protocols are read. All other values are
/// passed over, whatever they are: key shares, tickets, encrypted hellos, GREASE (RFC 8701). Refused is whatever two
/// readers could read in two ways: lengths that do not agree, an extension that occurs twice, a server name besides the
/// one host name that RFC 6066 allows. Bytes behind the hello are not looked at.
public enum ClientHelloParser {
    private static let handshakeRecord: UInt8 = 22
    /// The first byte of every version from SSL 3.0 to TLS 1.3, of records and of hellos.
    private static let majorVersion: UInt8 = 3
    private static let maxFragmentLength = 1 << 14
    private static let clientHello: UInt8 = 1
    /// The bytes of a handshake message's type and length.
    private static let headLength = 4
    private static let randomLength = 32
    /// The length of a message with one cipher suite, one compression method, no session and no extension.
    private static let minMessageLength = headLength + 2 + randomLength + 1 + 4 + 2
    private static let serverNameExtension = 0
    private static let protocolsExtension = 16
    private static let hostName = 0

    /// Parses the beginning of a stream.
    ///
    /// The number of ``ClientHelloScan/needsMore(atLeast:)`` is greater than the bytes that are there and at most the
    /// hello's length. A client that cuts its hello into the shortest records is asked for again a few dozen times, not
    /// once for each record.
    public static func parse(_ bytes: Span<UInt8>) -> ClientHelloScan {
        guard bytes.count > 0 else { return .needsMore(atLeast: 1) }
        guard bytes[0] == handshakeRecord else { return .notTLS }
        guard bytes.count > 1 else { return .needsMore(atLeast: 2) }
        guard bytes[1] == majorVersion else { return .notTLS }
        return findMessage(bytes)
    }

    /// Walks over the headers of the records until they hold the whole message.
    private static func findMessage(_ bytes: Span<UInt8>) -> ClientHelloScan {
        // The offset of the next record's header.
        var offset = 0
        // The bytes of the message in the records before it.
        var declared = 0
        var head = MessageHead()
        var end = HandshakeCursor.recordHeaderLength + minMessageLength
        while true {
            // No other record may come between two fragments.
            if offset < bytes.count, bytes[offset] != handshakeRecord { return .malformed }
            if offset + 1 < bytes.count, bytes[offset + 1] != majorVersion { return .malformed }
            let fragment = offset + HandshakeCursor.recordHeaderLength
            guard fragment <= bytes.count else { return .needsMore(atLeast: end) }
            let length = Int(bytes[fragment - 2]) << 8 | Int(bytes[fragment - 1])
            // A fragment of a handshake is never empty.
            guard length > 0, length <= maxFragmentLength else { return .malformed }
            var index = fragment
            while !head.isWhole, index < min(fragment + length, bytes.count) {
                head.append(bytes[index])
                index += 1
            }
            guard head.isEmpty || head.type == clientHello else { return .malformed }
            declared += length
            offset = fragment + length
            let wanted = head.isWhole ? headLength + head.length : minMessageLength
            guard wanted >= minMessageLength else { return .malformed }
            // The rest comes in one more record at best.
            end =
                declared >= wanted
                ? offset - (declared - wanted)
                : offset + HandshakeCursor.recordHeaderLength + (wanted - declared)
            guard end <= FirstBytesTable.maxBytes else { return .tooLong }
            if head.isWhole, end <= bytes.count, declared >= wanted {
                return read(bytes, messageLength: wanted, end: end).map { .complete($0) } ?? .malformed
            }
            guard offset < bytes.count else { return .needsMore(atLeast: end) }
        }
    }

    /// The type and the length of a handshake message, of which each byte may be in another record.
    private struct MessageHead {
        private var value: UInt32 = 0
        private var count = 0

        var isEmpty: Bool { count == 0 }
        var isWhole: Bool { count == headLength }
        /// The message's type, unless the head is empty.
        var type: UInt8 { UInt8(truncatingIfNeeded: value >> UInt32(8 * max(0, count - 1))) }
        /// The length of the message behind its head, once that is whole.
        var length: Int { Int(value & 0xff_ffff) }

        mutating func append(_ byte: UInt8) {
            value = value << 8 | UInt32(byte)
            count += 1
        }
    }

    // MARK: Message

    /// Reads a message that is complete; nil where it is malformed.
    private static func read(_ bytes: Span<UInt8>, messageLength: Int, end: Int) -> ClientHello? {
        var message = HandshakeCursor(messageLength: messageLength)
        guard message.skip(headLength, in: bytes), message.byte(in: bytes) == Int(majorVersion),
            message.skip(1 + randomLength, in: bytes),
            let session = message.byte(in: bytes), session <= 32, message.skip(session, in: bytes),
            let suites = message.number16(in: bytes), suites >= 2, suites.isMultiple(of: 2),
            message.skip(suites, in: bytes),
            let methods = message.byte(in: bytes), methods >= 1, message.skip(methods, in: bytes)
        else { return nil }
        var hello = ClientHello(length: end)
        if message.left == 0 { return hello }
        guard let extensions = message.number16(in: bytes), extensions == message.left,
            readExtensions(&message, in: bytes, into: &hello)
        else { return nil }
        return hello
    }

    /// Reads the extensions up to the end of the message. Returns false where they are malformed.
    private static func readExtensions(
        _ message: inout HandshakeCursor, in bytes: Span<UInt8>, into hello: inout ClientHello
    ) -> Bool {
        let extensions = message
        var seen = ExtensionTypes()
        while message.left > 0 {
            guard let type = message.number16(in: bytes), let length = message.number16(in: bytes),
                let data = message.part(length, in: bytes), seen.insert(type)
            else { return false }
            switch type {
            case serverNameExtension:
                guard let name = serverName(data, in: bytes) else { return false }
                hello.serverName = name
            case protocolsExtension:
                guard let protocols = protocols(data, in: bytes) else { return false }
                hello.protocols = protocols
            default: break
            }
        }
        return !seen.isIncomplete || areDistinct(extensions, in: bytes)
    }

    /// Whether no extension of a well-formed list occurs twice, however many there are: with one bit for each of the
    /// 65,536 types, which a usual hello does not have to clear.
    @inline(never)
    private static func areDistinct(_ extensions: HandshakeCursor, in bytes: Span<UInt8>) -> Bool {
        var extensions = extensions
        var seen = InlineArray<1024, UInt64>(repeating: 0)
        while extensions.left > 0 {
            guard let type = extensions.number16(in: bytes), let length = extensions.number16(in: bytes),
                extensions.skip(length, in: bytes)
            else { return false }
            let bit: UInt64 = 1 << UInt64(type & 63)
            guard seen[type >> 6] & bit == 0 else { return false }
            seen[type >> 6] |= bit
        }
        return true
    }

    /// Reads the list of server names, which has exactly one host name: no other type was ever defined, and there may
    /// be one name of a type (RFC 6066, section 3).
    private static func serverName(_ data: HandshakeCursor, in bytes: Span<UInt8>) -> ShortBytes? {
        var data = data
        guard let list = data.number16(in: bytes), list == data.left, data.byte(in: bytes) == hostName,
            let length = data.number16(in: bytes), length == data.left
        else { return nil }
        var name = ShortBytes()
        var scan = HostNameScan()
        while data.left > 0 {
            guard let byte = data.byte(in: bytes), let lower = scan.next(UInt8(byte)), name.append(lower) else {
                return nil
            }
        }
        return scan.isName ? name : nil
    }

    /// Checks the list of protocols: at least one name, none of them empty.
    private static func protocols(_ data: HandshakeCursor, in bytes: Span<UInt8>) -> OfferedProtocols? {
        var data = data
        guard let list = data.number16(in: bytes), list == data.left, list > 0 else { return nil }
        let protocols = OfferedProtocols(data)
        while data.left > 0 {
            guard let length = data.byte(in: bytes), length > 0, data.skip(length, in: bytes) else { return nil }
        }
        return protocols
    }
}

/// The types of the extensions that a hello has, as far as there is room for them.
private struct ExtensionTypes {
    private static let maxListedCount = 16

    /// A bit for each type below 64.
    private var low: UInt64 = 0
    /// The other types. A usual hello has a handful of them.
    private var listed = InlineArray<16, UInt16>(repeating: 0)
    private var listedCount = 0
    /// Whether a type had no room: it was not compared with the others.
    private(set) var isIncomplete = false

    /// Adds a type. Returns false where it was there.
    mutating func insert(_ type: Int) -> Bool {
        if type < 64 {
            let bit: UInt64 = 1 << UInt64(type)
            guard low & bit == 0 else { return false }
            low |= bit
            return true
        }
        for index in 0..<listedCount where Int(listed[index]) == type { return false }
        if listedCount < Self.maxListedCount {
            listed[listedCount] = UInt16(type)
            listedCount += 1
        } else {
            isIncomplete = true
        }
        return true
    }
}
