import CTLS

/// The settings of one side of TLS (SSL_CTX_new(3)).
///
/// `@unchecked Sendable`, because the context behind the pointer never changes after `init`, and OpenSSL shares it
/// among threads.
@safe final class TLSContext: @unchecked Sendable {
    let handle: OpaquePointer

    init(_ handle: OpaquePointer) {
        unsafe self.handle = handle
    }

    /// A context of a server. With authorities, clients must have a certificate of one of them.
    static func server(_ settings: TLSServerSettings) -> TLSContext? {
        let protocols = wireForm(settings.protocols)
        let handle = unsafe settings.clientAuthorities.withUnsafeBytes { authorities in
            unsafe protocols.withUnsafeBufferPointer { protocols in
                unsafe settings.clientPins.flatMap(\.self).withUnsafeBufferPointer { pins in
                    unsafe weir_tls_server_new(
                        settings.minimum.code, authorities.baseAddress, authorities.count,
                        settings.demandsCertificate ? 1 : 0, protocols.baseAddress, protocols.count, pins.baseAddress,
                        pins.count / Int(WEIR_TLS_DIGEST_LENGTH))
                }
            }
        }
        guard let handle = unsafe handle else { return nil }
        let context = unsafe TLSContext(handle)
        for name in settings.allowedNames {
            guard unsafe weir_tls_server_allow_name(handle, name, name.utf8.count) == 1 else { return nil }
        }
        return context
    }

    /// A context of a client.
    static func client(_ settings: TLSClientSettings, own: CertificateSet?) -> TLSContext? {
        let protocols = wireForm(settings.protocols)
        let handle = unsafe settings.authorities.withUnsafeBytes { authorities in
            unsafe protocols.withUnsafeBufferPointer { protocols in
                unsafe weir_tls_client_new(
                    settings.minimum.code, settings.verifies ? 1 : 0, authorities.baseAddress, authorities.count,
                    own?.handle, protocols.baseAddress, protocols.count)
            }
        }
        guard let handle = unsafe handle else { return nil }
        return unsafe TLSContext(handle)
    }

    deinit {
        unsafe weir_tls_context_free(handle)
    }

    /// Protocols as ALPN has them: each behind its length (RFC 7301 section 3.1).
    static func wireForm(_ protocols: [String]) -> [UInt8] {
        protocols.flatMap { [UInt8(clamping: $0.utf8.count)] + Array($0.utf8.prefix(255)) }
    }
}

/// Sessions with one upstream that can be resumed.
///
/// `@unchecked Sendable`, because the places behind the pointer are atomics.
@safe final class ResumableSessions: @unchecked Sendable {
    let handle: OpaquePointer?

    init() {
        unsafe handle = weir_tls_sessions_new()
    }

    deinit {
        unsafe weir_tls_sessions_free(handle)
    }
}
