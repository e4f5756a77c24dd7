/// The facts of a certificate, and the faults of its files.
public struct CertificateCheckResult: Sendable {
    /// The fault; nil where chain and key can be used.
    public var problem: String?
    /// Whether the fault is in the file of the key.
    public var isAboutKey = false
    /// The names of the certificate.
    public var names = ""
    /// Its end, in seconds since 1970.
    public var expiry: Int64 = 0
    /// The number of certificates in the chain.
    public var chainLength = 1
    /// Whether the key of the first is an elliptic one (ECDSA).
    public var isElliptic = true

    /// Creates a result without a fault.
    public init() {}
}

/// The meaning of certificates. This module knows only their files, and asks while it reads a configuration, so that an
/// error in one is reported together with all others.
public protocol CertificateValidation: Sendable {
    /// Whether the program speaks TLS at all.
    var isSupported: Bool { get }
    /// Looks at a chain with its key.
    func check(chain: [UInt8], key: [UInt8]) -> CertificateCheckResult
    /// Looks at the archive with the credentials of an agent.
    func check(bundle: [UInt8]) -> CertificateCheckResult
    /// Looks at certificates of authorities. Returns their fault.
    func check(authorities: [UInt8]) -> String?
    /// The present time, in seconds since 1970.
    var now: Int64 { get }
}

/// A certificate of a configuration, for `weir check`.
public struct CertificateReport: Sendable {
    /// The path, as it is written.
    public let path: String
    /// The names.
    public let names: String
    /// Its end, in seconds since 1970.
    public let expiry: Int64
}
