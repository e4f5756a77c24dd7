import NetworkTypes

/// A file that a setting names.
public struct NamedFile: Sendable, Hashable, CustomStringConvertible {
    /// As it is written.
    public let text: String
    /// The path to open.
    public let path: String

    /// Names a file.
    public init(_ text: String, path: String) {
        self.text = text
        self.path = path
    }

    /// As it is written.
    public var description: String { text }
}

/// A certificate chain, leaf first, and its private key.
public struct CertificateFiles: Sendable, Hashable {
    /// The chain.
    public var certificate: NamedFile
    /// The key.
    public var key: NamedFile

    /// Names both files.
    public init(certificate: NamedFile, key: NamedFile) {
        self.certificate = certificate
        self.key = key
    }
}

/// `tls:`, for all routes that terminate TLS.
public struct TLSDefaults: Sendable, Hashable {
    /// The certificates; the first is shown to clients that ask for none of the names.
    public var certificates: [CertificateFiles] = []
    /// The oldest version that is spoken, with clients and upstreams.
    public var minimum = TLSVersion.tls12

    /// The defaults.
    public init() {}
}

/// `tls:` of a route, which terminates the TLS of its clients.
public struct RouteTLS: Sendable, Hashable {
    /// Certificates of its own; without them those of all routes.
    public var certificates: [CertificateFiles] = []
    /// The authorities of which clients must have a certificate; nil for no such demand.
    public var clientAuthorities: NamedFile?
    /// The protocols (ALPN), by preference.
    public var protocols: [String] = []
    /// The oldest version that is spoken; nil for that of all routes.
    public var minimum: TLSVersion?

    /// The defaults.
    public init() {}
}

/// `exporter.tls:`, which encrypts the exporter's TCP connections.
public struct ExporterTLS: Sendable, Hashable {
    /// The certificate with its key.
    public var files: CertificateFiles
    /// The authorities of which clients must have a certificate, but for health; nil for no such demand.
    public var clientAuthorities: NamedFile?

    /// Makes the section.
    public init(_ files: CertificateFiles, clientAuthorities: NamedFile? = nil) {
        self.files = files
        self.clientAuthorities = clientAuthorities
    }
}

/// `upstream_tls:` of a route, which speaks TLS with its upstreams.
public struct UpstreamTLS: Sendable, Hashable {
    /// Whether upstreams must prove who they are.
    public var verifies = true
    /// The authorities that are trusted; nil for those of the system.
    public var authorities: NamedFile?
    /// The name that every upstream must have; nil for the host under which each is dialed.
    public var serverName: String?
    /// The certificate that upstreams get to see; nil for none.
    public var certificate: NamedFile?
    /// The key of that one.
    public var key: NamedFile?
    /// The protocols (ALPN) that are offered.
    public var protocols: [String] = []
    /// The oldest version that is spoken; nil for that of all routes.
    public var minimum: TLSVersion?

    /// The defaults.
    public init() {}

    /// The certificate with its key.
    public var own: CertificateFiles? {
        guard let certificate, let key else { return nil }
        return CertificateFiles(certificate: certificate, key: key)
    }
}

extension Configuration {
    /// The certificates that a route shows to its clients; empty where it does not terminate TLS.
    public func certificates(of route: RouteConfiguration) -> [CertificateFiles] {
        guard let own = route.tls else { return [] }
        return own.certificates.isEmpty ? tls.certificates : own.certificates
    }

    /// Every certificate, once, in the order of the file.
    public var allCertificates: [CertificateFiles] {
        var seen: Set<CertificateFiles> = []
        let all =
            tls.certificates + (exporter.tls.map { [$0.files] } ?? [])
            + routes.flatMap { ($0.tls?.certificates ?? []) + ($0.upstreamTLS?.own.map { [$0] } ?? []) }
        return all.filter { seen.insert($0).inserted }
    }
}
