import CTLS
import NetworkTypes
import Threading

/// A server of DTLS 1.2: makes the associations of clients. Clients must have a certificate of its authorities. Its own
/// certificate is shown without the chain, and must have a key for ECDSA, so that each flight fits into one datagram.
///
/// Of the settings the versions, the names and ``TLSServerSettings/demandsCertificate`` are not used.
public final class DTLSServer: Sendable {
    private let context: Lock<TLSContext>
    private let repetition: Duration

    /// Makes a server; nil where OpenSSL refuses the settings, or there are no authorities. `repetition` is the time
    /// until the first repetition of a flight that is not answered; it doubles up to 1 s (RFC 6347 section 4.2.4.1
    /// recommends 1 s for peers that are not known).
    public init?(
        _ settings: TLSServerSettings, certificates: CertificateSet, repetition: Duration = .milliseconds(250)
    ) {
        guard let made = TLSContext.datagramServer(settings, certificates, repetition) else { return nil }
        context = Lock(made)
        self.repetition = repetition
    }

    /// Uses other settings and certificates for new associations. False where OpenSSL refuses them.
    public func use(_ settings: TLSServerSettings, certificates: CertificateSet) -> Bool {
        guard let made = TLSContext.datagramServer(settings, certificates, repetition) else { return false }
        context.withLock { $0 = made }
        return true
    }

    /// Makes the association of a client, on its thread; nil without memory, and where OpenSSL does not take the hello.
    /// Its cookie must be ``HelloCookies/Verdict/proven(cookie:)``: it is not looked at again. The answer is in
    /// ``DTLSSession/takeDatagram(into:)``.
    public func accept(hello: UnsafeRawBufferPointer) -> DTLSSession? {
        let context = context.withLock { $0 }
        guard let tls = unsafe weir_dtls_accept(context.handle, hello.baseAddress, hello.count) else { return nil }
        return unsafe DTLSSession(tls, context)
    }
}

/// A client of DTLS 1.2: makes the associations with servers. See ``DTLSServer``; of its settings the version and
/// ``TLSClientSettings/verifies`` are not used.
public final class DTLSClient: Sendable {
    private let context: Lock<TLSContext>
    private let serverName: String?
    private let repetition: Duration

    /// Makes a client, which shows the first certificate of `own`; nil where OpenSSL refuses the settings, or there are
    /// no authorities.
    public init?(_ settings: TLSClientSettings, own: CertificateSet?, repetition: Duration = .milliseconds(250)) {
        guard let made = TLSContext.datagramClient(settings, own, repetition) else { return nil }
        context = Lock(made)
        serverName = settings.serverName
        self.repetition = repetition
    }

    /// Uses other settings for new associations. False where OpenSSL refuses them.
    public func use(_ settings: TLSClientSettings, own: CertificateSet?) -> Bool {
        guard let made = TLSContext.datagramClient(settings, own, repetition) else { return false }
        context.withLock { $0 = made }
        return true
    }

    /// Makes an association, on its thread, with the server of this name, which the settings may replace; nil without
    /// memory. The first flight is in ``DTLSSession/takeDatagram(into:)``.
    public func connect(to name: String) -> DTLSSession? {
        let context = context.withLock { $0 }
        let name = serverName ?? name
        let isAddress: CInt = IPAddress(name) == nil ? 0 : 1
        guard let tls = unsafe weir_dtls_connect(context.handle, name, isAddress) else { return nil }
        return unsafe DTLSSession(tls, context)
    }
}

extension TLSContext {
    fileprivate static func datagramServer(
        _ settings: TLSServerSettings, _ certificates: CertificateSet, _ repetition: Duration
    ) -> TLSContext? {
        if settings.clientAuthorities.isEmpty { return nil }
        let protocols = wireForm(settings.protocols)
        let handle = unsafe settings.clientAuthorities.withUnsafeBytes { authorities in
            unsafe protocols.withUnsafeBufferPointer { protocols in
                unsafe settings.clientPins.flatMap(\.self).withUnsafeBufferPointer { pins in
                    unsafe weir_dtls_server_new(
                        microseconds(repetition), authorities.baseAddress, authorities.count, certificates.handle,
                        protocols.baseAddress, protocols.count, pins.baseAddress,
                        pins.count / Int(WEIR_TLS_DIGEST_LENGTH))
                }
            }
        }
        guard let handle = unsafe handle else { return nil }
        return unsafe TLSContext(handle)
    }

    fileprivate static func datagramClient(
        _ settings: TLSClientSettings, _ own: CertificateSet?, _ repetition: Duration
    ) -> TLSContext? {
        if settings.authorities.isEmpty { return nil }
        let protocols = wireForm(settings.protocols)
        let handle = unsafe settings.authorities.withUnsafeBytes { authorities in
            unsafe protocols.withUnsafeBufferPointer { protocols in
                unsafe weir_dtls_client_new(
                    microseconds(repetition), authorities.baseAddress, authorities.count, own?.handle,
                    protocols.baseAddress, protocols.count)
            }
        }
        guard let handle = unsafe handle else { return nil }
        return unsafe TLSContext(handle)
    }

    private static func microseconds(_ duration: Duration) -> UInt32 {
        UInt32(clamping: Int64(duration / .microseconds(1)))
    }
}
