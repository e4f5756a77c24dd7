import CTLS
public import NetworkTypes

/// The state of an association. It never goes back.
public enum DTLSState: Equatable, Sendable {
    /// The handshake goes on.
    case handshaking
    /// Both ends are authenticated, and data flows.
    case open
    /// The peer has sent close_notify.
    case ended
    /// The association is over: ``DTLSSession/failure`` says why.
    case failed
}

/// The outcome of a datagram's encryption.
public enum DTLSSendResult: Equatable, Sendable {
    /// The datagram has this length.
    case datagram(Int)
    /// Data of this length cannot be sent: there is none, or more than ``DTLSSession/maxDataLength``, or than there is
    /// room for.
    case unfit
    /// The association is not open.
    case notOpen
}

/// One end of an association of DTLS 1.2 (RFC 6347). It has no socket: datagrams come in through ``receive(_:into:_:)``
/// and go out through ``takeDatagram(into:)`` and ``send(_:into:)``. Confined to its thread.
///
/// Records that are not authenticated change nothing in an association that is open. A handshake is not protected
/// against a host that forges the peer's address and knows both ports, because its first messages are not encrypted:
/// its owner dials again. An alert without encryption ends it only where two repetitions of a flight bring no answer.
///
/// The owner calls ``repeatFlight()`` when ``repetitionDelay`` is over, and ends handshakes that take too long.
/// OpenSSL measures with the clock of the day: one that is set back meanwhile delays repetitions, not the owner's
/// deadline.
@safe public final class DTLSSession {
    private let tls: OpaquePointer
    /// Outlives the association.
    private let context: TLSContext

    /// The bytes that a record adds to its data.
    public static let overhead = Int(WEIR_DTLS_OVERHEAD)
    /// The most data of a record (RFC 6347 section 4.1), and the room that ``receive(_:into:_:)`` needs.
    public static let maxDataLength = Int(WEIR_DTLS_MAX_DATA)

    init(_ tls: OpaquePointer, _ context: TLSContext) {
        unsafe self.tls = tls
        self.context = context
    }

    deinit {
        unsafe weir_tls_free(tls)
    }

    /// The state.
    public var state: DTLSState {
        switch Int(unsafe weir_dtls_state(tls)) {
        case WEIR_DTLS_HANDSHAKING: .handshaking
        case WEIR_DTLS_OPEN: .open
        case WEIR_DTLS_ENDED: .ended
        default: .failed
        }
    }

    /// The reason of ``DTLSState/failed``.
    public var failure: TLSFailure { TLSFailure(code: unsafe weir_tls_failure(tls)) }

    /// The number of the fatal alert with which the peer ended the association (RFC 5246 section 7.2); 0 for none.
    public var alert: UInt8 { UInt8(truncatingIfNeeded: unsafe weir_tls_alert(tls)) }

    // MARK: Datagrams

    /// Takes one datagram, goes on with the handshake, and calls `body` with the data of each of its records, which may
    /// be empty. The data is in `buffer`, which has room for ``maxDataLength``. Answers are in
    /// ``takeDatagram(into:)``. Returns the state behind the datagram.
    ///
    /// `body` may send, and must not receive.
    @discardableResult
    public func receive(
        _ datagram: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) -> DTLSState {
        precondition(buffer.count >= Self.maxDataLength, "a record would come in pieces")
        unsafe weir_dtls_put(tls, datagram.baseAddress, datagram.count)
        while case let count = unsafe weir_dtls_read(tls, buffer.baseAddress, buffer.count), count >= 0 {
            unsafe body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
        }
        unsafe weir_dtls_drop(tls)
        return state
    }

    /// Encrypts data as one record, which is one datagram: `datagram` needs ``overhead`` bytes more than the data has.
    public func send(_ data: UnsafeRawBufferPointer, into datagram: UnsafeMutableRawBufferPointer) -> DTLSSendResult {
        let result = unsafe weir_dtls_send(
            tls, data.baseAddress, data.count, datagram.baseAddress, datagram.count)
        if result > 0 { return .datagram(Int(result)) }
        return Int(result) == WEIR_TLS_ERROR ? .unfit : .notOpen
    }

    /// Takes the oldest datagram that is to be sent for the handshake, its repetitions and its end; returns its length,
    /// or 0 where there is none. None is longer than 1,232 bytes while the certificates of both ends are elliptic.
    /// To be called after every other call until there is none, also where the association has failed.
    public func takeDatagram(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        unsafe weir_dtls_take(tls, buffer.baseAddress, buffer.count)
    }

    /// Makes close_notify, once. Nothing can be sent behind it.
    public func finish() { unsafe weir_dtls_finish(tls) }

    // MARK: Repetitions

    /// The time until the last flight is to be repeated; nil where none waits for an answer. It changes with each call.
    public var repetitionDelay: Duration? {
        let microseconds = unsafe weir_dtls_timeout(tls)
        return microseconds < 0 ? nil : .microseconds(microseconds)
    }

    /// Repeats the last flight where that is due.
    public func repeatFlight() { unsafe weir_dtls_repeat(tls) }

    // MARK: Facts, once it is open

    /// The protocol that was agreed on (ALPN); empty for none.
    public var applicationProtocol: String { unsafe text(capacity: 256) { unsafe weir_tls_protocol(tls, $0, $1) } }

    /// The cipher, by OpenSSL's name.
    public var cipher: String { unsafe text(capacity: 128) { unsafe weir_tls_cipher(tls, $0, $1) } }

    /// The name that the client asked for; empty for none.
    public var serverName: String { unsafe text(capacity: 256) { unsafe weir_tls_server_name(tls, $0, $1) } }

    /// The name in the peer's verified certificate: its first DNS name, else its common name; empty for none.
    public var peerName: String { unsafe text(capacity: 256) { unsafe weir_tls_peer_name(tls, $0, $1) } }

    /// The URIs in the peer's verified certificate, separated by commas; empty for none.
    public var peerURIs: String { unsafe text(capacity: 1024) { unsafe weir_tls_peer_uris(tls, $0, $1) } }

    /// The SHA-256 of the peer's verified certificate; empty where it has none.
    public var peerFingerprint: [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(WEIR_TLS_DIGEST_LENGTH))
        return unsafe weir_tls_peer_fingerprint(tls, &digest) == 1 ? digest : []
    }
}
