import CTLS
import Glibc
public import LinuxIO
public import NetworkTypes

/// One encrypted side of a connection. Confined to its worker.
@safe public final class TLSSession: SecureSession {
    /// Nil where there was no memory.
    private let tls: OpaquePointer?
    /// Outlives the connection.
    private let context: TLSContext
    /// Outlives the handshake.
    private var certificates: CertificateSet?
    /// Outlives the connection.
    private let sessions: ResumableSessions?
    private let observer: (any TLSObserver)?
    private let worker: Int32
    private let side: TLSSide
    /// Whether the end of the handshake was told.
    private var isTold = false
    private var isTruncationTold = false
    /// The reason of a failed handshake; nil for none.
    public private(set) var failure: TLSFailure?
    /// The time of the first byte, which begins the handshake.
    private let start = MonotonicClock.system.nanoseconds

    init(
        accepting context: TLSContext, _ certificates: CertificateSet, worker: Int, observer: (any TLSObserver)?
    ) {
        unsafe tls = weir_tls_accept(context.handle, certificates.handle)
        self.context = context
        self.certificates = certificates
        sessions = nil
        self.observer = observer
        self.worker = Int32(truncatingIfNeeded: worker)
        side = .client
    }

    init(
        connecting context: TLSContext, _ sessions: ResumableSessions?, name: String?, isAddress: Bool, worker: Int,
        observer: (any TLSObserver)?
    ) {
        if let name {
            unsafe tls = weir_tls_connect(context.handle, sessions?.handle, name, isAddress ? 1 : 0)
        } else {
            unsafe tls = weir_tls_connect(context.handle, sessions?.handle, nil, 0)
        }
        self.context = context
        certificates = nil
        self.sessions = sessions
        self.observer = observer
        self.worker = Int32(truncatingIfNeeded: worker)
        side = .upstream
    }

    deinit {
        unsafe weir_tls_free(tls)
    }

    /// Without peeking and splicing: the socket has records. Closing it does not send close_notify.
    public var traits: ChannelTraits { .reportsUnacknowledged }

    // MARK: Handshake

    /// See ``SecureSession/handshake(on:)``.
    public func handshake(on socket: borrowing Socket) -> HandshakeStep {
        guard let tls = unsafe tls else { return failed(.other) }
        switch Int(unsafe weir_tls_handshake(tls, socket.number)) {
        case WEIR_TLS_DONE:
            certificates = nil
            if !isTold {
                isTold = true
                let now = MonotonicClock.system.nanoseconds
                observer?.handshakeSucceeded(
                    self, side: side, nanoseconds: now - min(start, now), worker: Int(worker))
            }
            return .done
        case WEIR_TLS_WAITING: return .waiting
        case WEIR_TLS_YIELDED: return .yielded
        case WEIR_TLS_UNUSED:
            if side == .client {
                isTold = true
                return .unused
            }
            return failed(TLSFailure(code: unsafe weir_tls_failure(tls)))
        case WEIR_TLS_BROKEN:
            tell(.closed)
            return .broken(SystemError(.receive, unsafe weir_tls_error(tls)))
        default: return failed(TLSFailure(code: unsafe weir_tls_failure(tls)))
        }
    }

    private func failed(_ reason: TLSFailure) -> HandshakeStep {
        tell(reason)
        return .failed
    }

    private func tell(_ reason: TLSFailure) {
        if isTold { return }
        isTold = true
        failure = reason
        observer?.handshakeFailed(side: side, reason: reason, worker: Int(worker))
    }

    /// Counts the failure.
    public func handshakeTimedOut() { tell(.timeout) }

    /// See ``SecureSession/expect(serverName:)``. Without memory for it every name is another one.
    public func expect(serverName: [UInt8]) {
        guard let tls = unsafe tls else { return }
        unsafe serverName.withUnsafeBufferPointer { unsafe weir_tls_expect_name(tls, $0.baseAddress, $0.count) }
    }

    // MARK: Bytes

    /// See ``SecureSession/receive(into:from:)``.
    public func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        guard let tls = unsafe tls else { return .failed(SystemError(.receive, ENOMEM)) }
        let result = unsafe weir_tls_receive(tls, socket.number, buffer.baseAddress, buffer.count)
        if result >= 0 { return .bytes(Int(result)) }
        switch Int(result) {
        case WEIR_TLS_WOULD_BLOCK: return .wouldBlock
        case WEIR_TLS_END:
            if !isTruncationTold, unsafe weir_tls_is_truncated(tls) == 1 {
                isTruncationTold = true
                observer?.truncated(side: side, worker: Int(worker))
            }
            return .endOfStream
        default: return .failed(SystemError(.receive, unsafe weir_tls_error(tls)))
        }
    }

    /// See ``SecureSession/hasEmptiedSocket``.
    public var hasEmptiedSocket: Bool {
        guard let tls = unsafe tls else { return false }
        return unsafe weir_tls_has_emptied(tls) == 1
    }

    /// See ``SecureSession/send(_:to:)``.
    public func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        guard let tls = unsafe tls else { return .failed(SystemError(.send, ENOMEM)) }
        let result = unsafe weir_tls_send(tls, socket.number, bytes.baseAddress, bytes.count)
        if result >= 0 { return .bytes(Int(result)) }
        if Int(result) == WEIR_TLS_WOULD_BLOCK { return .wouldBlock }
        return .failed(SystemError(.send, unsafe weir_tls_error(tls)))
    }

    /// Sends close_notify, and FIN behind it.
    public func finishWriting(on socket: borrowing Socket) {
        guard let tls = unsafe tls else { return }
        unsafe weir_tls_finish(tls, socket.number)
    }

    /// See ``SecureSession/hasPendingOutput``.
    public var hasPendingOutput: Bool {
        guard let tls = unsafe tls else { return false }
        return unsafe weir_tls_has_output(tls) == 1
    }

    /// See ``SecureSession/flush(to:)``.
    public func flush(to socket: borrowing Socket) -> SystemError? {
        guard let tls = unsafe tls else { return nil }
        let code = unsafe weir_tls_flush(tls, socket.number)
        return code == 0 ? nil : SystemError(.send, code)
    }

    /// The number of the fatal alert with which the peer ended the connection (RFC 8446 section 6.2); 0 for none.
    public var alert: UInt8 {
        guard let tls = unsafe tls else { return 0 }
        return UInt8(truncatingIfNeeded: unsafe weir_tls_alert(tls))
    }

    /// Whether the end that was read was a FIN without close_notify: whether bytes are missing is not known.
    public var isTruncated: Bool {
        guard let tls = unsafe tls else { return false }
        return unsafe weir_tls_is_truncated(tls) == 1
    }

    // MARK: Facts, after the handshake

    /// The version that is spoken.
    public var version: TLSVersion {
        guard let tls = unsafe tls else { return .tls12 }
        return TLSVersion(code: unsafe weir_tls_version(tls))
    }

    /// Whether it goes on with the keys of an earlier connection.
    public var isResumed: Bool {
        guard let tls = unsafe tls else { return false }
        return unsafe weir_tls_is_resumed(tls) == 1
    }

    /// The protocol that was agreed on (ALPN); empty for none.
    public var applicationProtocol: String {
        guard let tls = unsafe tls else { return "" }
        return unsafe text(capacity: 256) { unsafe weir_tls_protocol(tls, $0, $1) }
    }

    /// The name that the client asked for; empty for none.
    public var serverName: String {
        guard let tls = unsafe tls else { return "" }
        return unsafe text(capacity: 256) { unsafe weir_tls_server_name(tls, $0, $1) }
    }

    /// The cipher, by OpenSSL's name.
    public var cipher: String {
        guard let tls = unsafe tls else { return "" }
        return unsafe text(capacity: 128) { unsafe weir_tls_cipher(tls, $0, $1) }
    }

    /// The name in the peer's verified certificate: its first DNS name, else its common name; empty for none.
    public var peerName: String {
        guard let tls = unsafe tls else { return "" }
        return unsafe text(capacity: 256) { unsafe weir_tls_peer_name(tls, $0, $1) }
    }

    /// The common name of the peer's verified certificate, without control characters; empty for none.
    public var peerCommonName: String {
        guard let tls = unsafe tls else { return "" }
        return unsafe text(capacity: 256) { unsafe weir_tls_peer_common_name(tls, $0, $1) }
    }

    /// See ``SecureSession/peerNames``.
    public var peerNames: [String] {
        guard let tls = unsafe tls else { return [] }
        let length = unsafe weir_tls_peer_names(tls, nil, 0)
        if length == 0 { return [] }
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            count = min(length, unsafe weir_tls_peer_names(tls, buffer.baseAddress, length))
        }
        return bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// See ``SecureSession/facts``.
    public var facts: SecureSessionFacts? {
        let peer = hasPeerCertificate ? SecureSessionFacts.Peer(name: peerName, commonName: peerCommonName) : nil
        return SecureSessionFacts(
            serverName: serverName, applicationProtocol: applicationProtocol, version: version, isResumed: isResumed,
            cipher: cipher, peer: peer)
    }

    /// The URIs in the peer's verified certificate, separated by commas; empty for none.
    public var peerURIs: String {
        guard let tls = unsafe tls else { return "" }
        return unsafe text(capacity: 1024) { unsafe weir_tls_peer_uris(tls, $0, $1) }
    }

    /// The SHA-256 of the peer's certificate; empty where it has none.
    public var peerFingerprint: [UInt8] {
        guard let tls = unsafe tls else { return [] }
        var digest = [UInt8](repeating: 0, count: Int(WEIR_TLS_DIGEST_LENGTH))
        return unsafe weir_tls_peer_fingerprint(tls, &digest) == 1 ? digest : []
    }

    /// Whether the peer has a certificate, which was verified.
    public var hasPeerCertificate: Bool {
        guard let tls = unsafe tls else { return false }
        return unsafe weir_tls_has_peer_certificate(tls) == 1
    }
}
