import CTLS

/// The bytes of a certificate chain, leaf first, and of its private key, both PEM.
public struct CertificateBytes: Sendable, Equatable {
    /// The chain.
    public let chain: [UInt8]
    /// The key. It never appears in a message.
    public let key: [UInt8]

    /// Joins both.
    public init(chain: [UInt8], key: [UInt8]) {
        self.chain = chain
        self.key = key
    }
}

/// A fault in the content of a certificate's files.
public enum CertificateProblem: Error, Equatable, Sendable {
    /// There is no certificate.
    case noCertificate
    /// A certificate cannot be read.
    case unreadableCertificate
    /// There is no private key.
    case noKey
    /// The private key cannot be read.
    case unreadableKey
    /// The private key needs a password.
    case encryptedKey
    /// The key is not that of the certificate.
    case mismatch
    /// The key is that of a certificate which is not the first.
    case leafNotFirst
    /// There are certificates of authorities alone.
    case noLeaf
    /// OpenSSL refuses a key or a signature as too weak.
    case refused
    /// There is no memory.
    case noMemory

    fileprivate init?(code: CInt) {
        switch Int(code) {
        case WEIR_TLS_LOADED: return nil
        case WEIR_TLS_NO_CERTIFICATE: self = .noCertificate
        case WEIR_TLS_BAD_CERTIFICATE: self = .unreadableCertificate
        case WEIR_TLS_NO_KEY: self = .noKey
        case WEIR_TLS_BAD_KEY: self = .unreadableKey
        case WEIR_TLS_ENCRYPTED_KEY: self = .encryptedKey
        case WEIR_TLS_MISMATCH: self = .mismatch
        case WEIR_TLS_LEAF_NOT_FIRST: self = .leafNotFirst
        case WEIR_TLS_NO_LEAF: self = .noLeaf
        case WEIR_TLS_REFUSED: self = .refused
        default: self = .noMemory
        }
    }

    /// Whether the fault is in the file of the key.
    public var isAboutKey: Bool {
        switch self {
        case .noKey, .unreadableKey, .encryptedKey: true
        case .noCertificate, .unreadableCertificate, .mismatch, .leafNotFirst, .noLeaf, .refused, .noMemory: false
        }
    }

    /// The expected and the found content, in words.
    public var text: String {
        switch self {
        case .noCertificate: "expected a certificate in PEM, found none"
        case .unreadableCertificate: "expected certificates in PEM, found one that cannot be read"
        case .noKey: "expected a private key in PEM, found none"
        case .unreadableKey: "expected a private key in PEM, found one that cannot be read"
        case .encryptedKey: "expected a private key without a password, found one that is encrypted"
        case .mismatch: "the private key is not that of the certificate"
        case .leafNotFirst:
            "expected the server's own certificate first, found it behind others: certbot calls the right file "
                + "`fullchain.pem`"
        case .noLeaf: "expected the server's own certificate first, found certificates of authorities alone"
        case .refused: "OpenSSL refuses the certificate: its key is too short, or its signature too weak"
        case .noMemory: "no memory is left"
        }
    }
}

/// Certificates with their keys, of which a server chooses by the name that the client asks for. The first is the
/// default.
///
/// `@unchecked Sendable`, because the set behind the pointer never changes after `init`, and OpenSSL counts references
/// to its parts with atomics.
@safe public final class CertificateSet: @unchecked Sendable {
    let handle: OpaquePointer

    /// Reads the bytes.
    public init(_ certificates: [CertificateBytes]) throws(CertificateProblem) {
        guard let handle = unsafe weir_tls_certificates_new() else { throw .noMemory }
        unsafe self.handle = handle
        for certificate in certificates {
            let code = unsafe certificate.chain.withUnsafeBytes { chain in
                unsafe certificate.key.withUnsafeBytes { key in
                    unsafe weir_tls_certificates_add(
                        handle, chain.baseAddress, chain.count, key.baseAddress, key.count)
                }
            }
            if let problem = CertificateProblem(code: code) { throw problem }
        }
    }

    deinit {
        unsafe weir_tls_certificates_free(handle)
    }

    /// When the certificate of an index ends, in seconds since 1970.
    public func expiry(at index: Int) -> Int64 { unsafe weir_tls_certificates_expiry(handle, index) }

    /// The names of the certificate of an index, separated by commas.
    public func names(at index: Int) -> String {
        unsafe text(capacity: 1024) { unsafe weir_tls_certificates_names(handle, index, $0, $1) }
    }

    /// The number of certificates in PEM, and whether the first has a key for ECDSA.
    public static func describe(_ chain: [UInt8]) -> (count: Int, isElliptic: Bool) {
        var isElliptic: CInt = 0
        let count = unsafe chain.withUnsafeBytes { bytes in
            unsafe weir_tls_describe(bytes.baseAddress, bytes.count, &isElliptic)
        }
        return (Int(max(0, count)), isElliptic == 1)
    }

    /// Whether the bytes are certificates that can be trusted.
    public static func check(authorities: [UInt8]) throws(CertificateProblem) {
        let code = unsafe authorities.withUnsafeBytes { unsafe weir_tls_check_authorities($0.baseAddress, $0.count) }
        if let problem = CertificateProblem(code: code) { throw problem }
    }
}

/// Returns the text that a function of C writes.
func text(capacity: Int, _ write: (UnsafeMutablePointer<CChar>, Int) -> Int) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
        guard let base = buffer.baseAddress else { return "" }
        let count = unsafe write(base, capacity)
        return unsafe String(
            decoding: UnsafeRawBufferPointer(start: base, count: min(count, capacity)), as: UTF8.self)
    }
}
