/// A ClientHello of DTLS with its cookie, as it stands in one datagram (RFC 6347 section 4.2.2).
///
/// Hellos in fragments are refused: to put them together would take state before the client's address is known to be
/// its own.
public struct DTLSClientHello: Equatable, Sendable {
    /// The number of the record, which the answer repeats (RFC 6347 section 4.2.1).
    public let recordNumber: UInt64
    /// The version, the random number and the session of the client.
    let head: Range<Int>
    /// The cookie; empty in the first hello.
    public let cookie: Range<Int>
    /// The ciphers and the methods of compression.
    let tail: Range<Int>

    /// The longest datagram that is read: a flood costs a bounded time each.
    public static let maxLength = 2048
    /// The bytes in front of the message's body: the headers of record and message.
    static let headerLength = 25

    /// The outcome of a parse.
    public enum Scan: Equatable, Sendable {
        /// The datagram begins with a hello.
        case hello(DTLSClientHello)
        /// The datagram begins with a ClientHello that has a fault, or is in fragments, or is too long.
        case malformed
        /// The datagram begins with something else.
        case other
    }

    /// Parses a datagram. Records behind the first one are not looked at.
    public static func parse(_ datagram: Span<UInt8>) -> Scan {
        // The type of the record, the older half of its version, epoch 0, and the type of the message.
        guard datagram.count > 13, datagram[0] == 22, number(datagram, at: 3, count: 2) == 0, datagram[13] == 1 else {
            return .other
        }
        let bodyEnd = 13 + number(datagram, at: 11, count: 2)
        guard datagram[1] == 0xFE, datagram.count <= maxLength, bodyEnd <= datagram.count, bodyEnd >= headerLength
        else { return .malformed }
        let length = number(datagram, at: 14, count: 3)
        let isWhole = number(datagram, at: 19, count: 3) == 0 && number(datagram, at: 22, count: 3) == length
        guard isWhole, headerLength + length == bodyEnd else { return .malformed }
        return parseBody(datagram, end: bodyEnd).map { .hello($0) } ?? .malformed
    }

    private static func parseBody(_ datagram: Span<UInt8>, end: Int) -> DTLSClientHello? {
        let sessionStart = headerLength + 2 + 32
        guard let sessionEnd = skip(datagram, from: sessionStart, lengthOf: 1, end: end),
            sessionEnd - sessionStart <= 1 + 32, datagram[headerLength] == 0xFE,
            let cookieEnd = skip(datagram, from: sessionEnd, lengthOf: 1, end: end),
            let ciphersEnd = skip(datagram, from: cookieEnd, lengthOf: 2, end: end),
            let methodsEnd = skip(datagram, from: ciphersEnd, lengthOf: 1, end: end)
        else { return nil }
        let cipherLength = ciphersEnd - cookieEnd - 2
        guard cipherLength > 0, cipherLength % 2 == 0, methodsEnd - ciphersEnd > 1 else { return nil }
        // Extensions may be missing, and are the end otherwise.
        guard methodsEnd == end || skip(datagram, from: methodsEnd, lengthOf: 2, end: end) == end else { return nil }
        // The one with a cookie is the client's second message: OpenSSL waits for no other.
        let isFirst = cookieEnd == sessionEnd + 1
        guard number(datagram, at: 17, count: 2) == (isFirst ? 0 : 1) else { return nil }
        return DTLSClientHello(
            recordNumber: UInt64(number(datagram, at: 5, count: 6)), head: headerLength..<sessionEnd,
            cookie: sessionEnd + 1..<cookieEnd, tail: cookieEnd..<methodsEnd)
    }

    /// Returns the end of a vector whose length is in its first bytes; nil where it is beyond `end`.
    private static func skip(_ bytes: Span<UInt8>, from start: Int, lengthOf count: Int, end: Int) -> Int? {
        guard start + count <= end else { return nil }
        let vectorEnd = start + count + number(bytes, at: start, count: count)
        return vectorEnd <= end ? vectorEnd : nil
    }

    private static func number(_ bytes: Span<UInt8>, at index: Int, count: Int) -> Int {
        var value = 0
        for offset in 0..<count { value = value << 8 | Int(bytes[index + offset]) }
        return value
    }

    /// The HelloVerifyRequest that answers the hello (RFC 6347 section 4.2.1): the version is that of DTLS 1.0,
    /// whichever will be spoken, and the cookie the only thing that a client takes from it.
    func verifyRequest(cookie: [UInt8]) -> [UInt8] {
        let length = 3 + cookie.count
        var bytes: [UInt8] = [22, 0xFE, 0xFF, 0, 0]
        bytes.reserveCapacity(Self.headerLength + length)
        for shift in stride(from: 40, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: recordNumber >> UInt64(shift)))
        }
        bytes += [0, UInt8(12 + length), 3, 0, 0, UInt8(length), 0, 0, 0, 0, 0, 0, 0, UInt8(length)]
        bytes += [0xFE, 0xFF, UInt8(cookie.count)]
        bytes += cookie
        return bytes
    }
}
