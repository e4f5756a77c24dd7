import CTLS

/// A certificate that was made here, and its key, both PEM.
struct IssuedCertificate {
    let certificate: [UInt8]
    /// Never printed.
    let key: [UInt8]

    enum Kind {
        case authority, server, client

        fileprivate var code: CInt {
            switch self {
            case .authority: CInt(WEIR_TLS_AUTHORITY)
            case .server: CInt(WEIR_TLS_SERVER)
            case .client: CInt(WEIR_TLS_CLIENT)
            }
        }
    }

    init(certificate: [UInt8], key: [UInt8]) {
        self.certificate = certificate
        self.key = key
    }

    /// Makes one, signed by an authority unless it is one. `names` are as OpenSSL writes them. Nil where the authority
    /// cannot be used.
    init?(
        _ kind: Kind, commonName: String, names: String, days: Int, signedBy authority: IssuedCertificate?
    ) {
        let size = Int(WEIR_TLS_PEM_SIZE)
        var certificate = [CChar](repeating: 0, count: size)
        var key = [CChar](repeating: 0, count: size)
        let (issuer, issuerKey) = (authority?.certificate ?? [], authority?.key ?? [])
        let isMade = unsafe issuer.withUnsafeBytes { issuer in
            unsafe issuerKey.withUnsafeBytes { issuerKey in
                unsafe weir_tls_make_certificate(
                    kind.code, commonName, names, CInt(days), issuer.baseAddress, issuer.count, issuerKey.baseAddress,
                    issuerKey.count, &certificate, &key)
            }
        }
        guard isMade == 1 else { return nil }
        self.certificate = Self.text(certificate)
        self.key = Self.text(key)
    }

    /// The SHA-256 of the certificate in hexadecimal digits, as pins have it.
    var fingerprint: String {
        var digest = [UInt8](repeating: 0, count: Int(WEIR_TLS_DIGEST_LENGTH))
        _ = unsafe certificate.withUnsafeBytes { bytes in
            unsafe weir_tls_fingerprint(bytes.baseAddress, bytes.count, &digest)
        }
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func text(_ characters: [CChar]) -> [UInt8] {
        characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    }
}
