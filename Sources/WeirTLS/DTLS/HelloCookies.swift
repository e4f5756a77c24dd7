import CTLS
public import NetworkTypes

/// The two ends of an association of DTLS.
public struct AssociationPath: Hashable, Sendable {
    /// The peer.
    public let peer: SocketAddress
    /// The local address to which the peer sends.
    public let local: IPAddress
    /// The interface of a link-local `local`, else 0.
    public let scope: UInt32

    /// Joins both ends.
    public init(peer: SocketAddress, local: IPAddress, scope: UInt32 = 0) {
        self.peer = peer
        self.local = local
        self.scope = scope
    }
}

/// The cookies by which clients of DTLS prove that they receive what is sent to their address (RFC 6347 section 4.2.1),
/// so that forged hellos make no state. All listeners of a process share one value.
///
/// A cookie is the HMAC-SHA256 of a period of time, the path and the client's parameters, with a key that is never
/// stored. The period is a part of the message, which is as good as a key for each: one that was taken is worth nothing
/// after the end of the next period. An answer is shorter than the hello that it answers.
public struct HelloCookies: Sendable {
    /// The seconds of a period. A cookie is valid for one at least, and for two at most.
    public static let periodSeconds: UInt64 = 30
    /// The part of the HMAC that is sent, behind one byte for the period.
    private static let macLength = 16
    static let cookieLength = 1 + macLength

    private let key: [UInt8]

    /// Makes cookies of a new key; nil where the system has no random bytes.
    public init?() {
        var key = [UInt8](repeating: 0, count: Int(WEIR_TLS_HMAC_LENGTH))
        guard unsafe weir_tls_random(&key, key.count) == 1 else { return nil }
        self.key = key
    }

    /// The judgment on a datagram.
    public enum Verdict: Equatable, Sendable {
        /// The first hello, or one whose cookie is not valid: this datagram answers it, and nothing is kept.
        case ask(answer: [UInt8])
        /// A hello with a valid cookie, which tells it from other hellos of the client.
        case proven(cookie: [UInt8])
        /// A ClientHello that cannot be used: it is dropped.
        case malformed
        /// Not a ClientHello: something for an association that exists.
        case other
    }

    /// Judges a datagram of a path. `seconds` is the age of any moment in the past.
    public func judge(_ datagram: Span<UInt8>, of path: AssociationPath, seconds: UInt64) -> Verdict {
        let hello: DTLSClientHello
        switch DTLSClientHello.parse(datagram) {
        case .hello(let found): hello = found
        case .malformed: return .malformed
        case .other: return .other
        }
        let period = seconds / Self.periodSeconds
        if hello.cookie.count == Self.cookieLength {
            // The period that the cookie claims: this one, or the last.
            let claimed = datagram[hello.cookie.lowerBound]
            let age = UInt8(truncatingIfNeeded: period) &- claimed
            if age <= 1, UInt64(age) <= period {
                guard let expected = cookie(of: hello, in: datagram, path, period: period - UInt64(age)) else {
                    return .malformed
                }
                var difference: UInt8 = 0
                for (offset, byte) in expected.enumerated() {
                    difference |= byte ^ datagram[hello.cookie.lowerBound + offset]
                }
                if difference == 0 { return .proven(cookie: expected) }
            }
        }
        guard let cookie = cookie(of: hello, in: datagram, path, period: period) else { return .malformed }
        return .ask(answer: hello.verifyRequest(cookie: cookie))
    }

    /// Returns the cookie; nil without memory.
    private func cookie(
        of hello: DTLSClientHello, in datagram: Span<UInt8>, _ path: AssociationPath, period: UInt64
    ) -> [UInt8]? {
        var message: [UInt8] = []
        message.reserveCapacity(50 + hello.head.count + hello.tail.count)
        let local = path.local
        for word in [period, path.peer.ip.high, path.peer.ip.low, local.high, local.low] {
            append(word, bytes: 8, to: &message)
        }
        append(UInt64(path.peer.port), bytes: 2, to: &message)
        append(UInt64(path.peer.scope), bytes: 4, to: &message)
        append(UInt64(path.scope), bytes: 4, to: &message)
        for index in hello.head { message.append(datagram[index]) }
        for index in hello.tail { message.append(datagram[index]) }
        var mac = [UInt8](repeating: 0, count: Int(WEIR_TLS_HMAC_LENGTH))
        guard unsafe weir_tls_hmac(key, message, message.count, &mac) == 1 else { return nil }
        mac.removeLast(mac.count - Self.macLength)
        mac.insert(UInt8(truncatingIfNeeded: period), at: 0)
        return mac
    }

    private func append(_ word: UInt64, bytes count: Int, to message: inout [UInt8]) {
        for index in stride(from: count - 1, through: 0, by: -1) {
            message.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index)))
        }
    }
}
