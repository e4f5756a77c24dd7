#if TLS
import NetworkTypes
import WeirConfiguration
import WeirStream
import WeirTLS

/// The TLS servers and clients of all routes, of their checks and of the exporter, with the content of the files that
/// they are made from. Routes with equal settings share theirs. Used by the proxy alone.
struct TLSStore {
    /// An event that the proxy logs.
    enum News {
        case taken(path: String, names: String, expiry: Int64)
        case refused(path: String, problem: String)
    }

    private struct ServerKey: Hashable {
        let certificates: [CertificateFiles]
        let authorities: NamedFile?
        /// Whether a client without a certificate is refused at once.
        var demandsCertificate = true
        let protocols: [String]
        let minimum: TLSVersion
        let names: [String]
        let pins: [CertificatePin]
    }

    private struct ClientKey: Hashable {
        let settings: UpstreamTLS
        let minimum: TLSVersion
    }

    /// A pair of files, or one of authorities.
    private struct Source {
        let files: [NamedFile]
        var stamps: [FileStamp]
        /// The content that is in use.
        var bytes: [[UInt8]]
        /// How often a change was found unusable in a row.
        var attempts = 0

        /// How often a change is looked at before it is refused: a file may be in the middle of its replacement.
        static let maxAttempts = 3
    }

    private var servers: [ServerKey: TLSServer] = [:]
    private var clients: [ClientKey: TLSClient] = [:]
    private var sources: [[NamedFile]: Source] = [:]

    /// Whether there are files to watch.
    var isEmpty: Bool { sources.isEmpty }

    // MARK: Configurations

    /// Makes what a configuration needs. What there is already stays as it is.
    /// - Throws: the fault, in words, of a file that has changed since it was checked.
    mutating func prepare(_ configuration: Configuration) throws(TLSFileError) {
        for key in Self.serverKeys(configuration) where servers[key] == nil { servers[key] = try makeServer(key) }
        for key in Self.clientKeys(configuration) where clients[key] == nil { clients[key] = try makeClient(key) }
    }

    /// Forgets what a configuration does not need.
    mutating func forget(except configuration: Configuration) {
        let serverKeys = Set(Self.serverKeys(configuration))
        let clientKeys = Set(Self.clientKeys(configuration))
        servers = servers.filter { serverKeys.contains($0.key) }
        clients = clients.filter { clientKeys.contains($0.key) }
        let files = Set(serverKeys.flatMap(Self.files) + clientKeys.flatMap(Self.files))
        sources = sources.filter { files.contains($0.key) }
    }

    /// The server of a route; nil where it does not terminate TLS.
    func server(of route: RouteConfiguration, _ configuration: Configuration) -> TLSServer? {
        Self.serverKey(of: route, configuration).flatMap { servers[$0] }
    }

    /// The server of the exporter; nil where it speaks plain HTTP.
    func exporterServer(_ configuration: Configuration) -> TLSServer? {
        Self.exporterKey(configuration).flatMap { servers[$0] }
    }

    /// The client of the health checks of a route; nil where they do not speak TLS.
    func checkClient(of route: RouteConfiguration, _ configuration: Configuration) -> TLSClient? {
        Self.checkKey(of: route, configuration).flatMap { clients[$0] }
    }

    /// The client of a route; nil where its upstreams do not speak TLS.
    func client(of route: RouteConfiguration, _ configuration: Configuration) -> TLSClient? {
        Self.clientKey(of: route, configuration).flatMap { clients[$0] }
    }

    /// The certificates that are in use, by the path of their chain, with names and ends.
    func report(_ configuration: Configuration) -> [(path: String, names: String, expiry: Int64)] {
        configuration.allCertificates.compactMap { files in
            guard let bytes = sources[[files.certificate, files.key]]?.bytes,
                let set = try? CertificateSet([CertificateBytes(chain: bytes[0], key: bytes[1])])
            else { return nil }
            return (files.certificate.text, set.names(at: 0), set.expiry(at: 0))
        }
    }

    // MARK: Changed files

    /// Takes files that have changed, for new handshakes. `now` is in seconds since 1970.
    mutating func refresh(now: Int64) -> [News] {
        var news: [News] = []
        var changed: Set<[NamedFile]> = []
        for (files, source) in sources {
            let stamps = files.map { FileStamp(of: $0.path) }
            guard stamps != source.stamps || source.attempts > 0 else { continue }
            do throws(TLSFileError) {
                let bytes = try Self.read(files)
                if bytes != source.bytes {
                    let fact = try Self.check(files, bytes, now: now)
                    changed.insert(files)
                    news.append(.taken(path: files[0].text, names: fact.names, expiry: fact.expiry))
                } else if source.attempts == 0 {
                    // Touched only.
                } else if let fact = try? Self.check(files, bytes, now: .min) {
                    news.append(.taken(path: files[0].text, names: fact.names, expiry: fact.expiry))
                }
                sources[files] = Source(files: files, stamps: stamps, bytes: bytes)
            } catch {
                let isNew = stamps != source.stamps
                sources[files]?.stamps = stamps
                let attempts = isNew ? 1 : source.attempts + 1
                sources[files]?.attempts = min(attempts, Source.maxAttempts + 1)
                if attempts == Source.maxAttempts {
                    news.append(.refused(path: files[0].text, problem: error.text))
                }
            }
        }
        if !changed.isEmpty { rebuild(changed) }
        return news
    }

    private mutating func rebuild(_ changed: Set<[NamedFile]>) {
        for (key, server) in servers where !changed.isDisjoint(with: Self.files(key)) {
            if let set = try? certificates(key.certificates) { server.use(set) }
            if let file = key.authorities, changed.contains([file]), let settings = try? settings(key) {
                _ = server.use(settings)
            }
        }
        for (key, client) in clients where !changed.isDisjoint(with: Self.files(key)) {
            guard let settings = try? settings(key) else { continue }
            _ = client.use(settings, own: try? own(key))
        }
    }

    // MARK: Keys

    private static func serverKey(of route: RouteConfiguration, _ configuration: Configuration) -> ServerKey? {
        guard let tls = route.tls else { return nil }
        return ServerKey(
            certificates: configuration.certificates(of: route), authorities: tls.clientAuthorities,
            protocols: tls.protocols, minimum: tls.minimum ?? configuration.tls.minimum,
            names: route.claims.serverNames.map(\.description), pins: route.ownAgent?.clients ?? [])
    }

    private static func exporterKey(_ configuration: Configuration) -> ServerKey? {
        configuration.exporter.tls.map { tls in
            ServerKey(
                certificates: [tls.files], authorities: tls.clientAuthorities, demandsCertificate: false,
                protocols: ["http/1.1", "http/1.0"], minimum: configuration.tls.minimum, names: [], pins: [])
        }
    }

    private static func checkKey(of route: RouteConfiguration, _ configuration: Configuration) -> ClientKey? {
        route.checkTLS.map { ClientKey(settings: $0, minimum: $0.minimum ?? configuration.tls.minimum) }
    }

    private static func serverKeys(_ configuration: Configuration) -> [ServerKey] {
        configuration.routes.compactMap { serverKey(of: $0, configuration) }
            + (exporterKey(configuration).map { [$0] } ?? [])
    }

    private static func clientKeys(_ configuration: Configuration) -> [ClientKey] {
        configuration.routes.flatMap { route in
            [clientKey(of: route, configuration), checkKey(of: route, configuration)].compactMap(\.self)
        }
    }

    private static func clientKey(of route: RouteConfiguration, _ configuration: Configuration) -> ClientKey? {
        route.upstreamTLS.map { ClientKey(settings: $0, minimum: $0.minimum ?? configuration.tls.minimum) }
    }

    private static func files(_ key: ServerKey) -> [[NamedFile]] {
        key.certificates.map { [$0.certificate, $0.key] } + (key.authorities.map { [[$0]] } ?? [])
    }

    private static func files(_ key: ClientKey) -> [[NamedFile]] {
        (key.settings.own.map { [[$0.certificate, $0.key]] } ?? []) + (key.settings.authorities.map { [[$0]] } ?? [])
    }

    // MARK: Making

    private mutating func makeServer(_ key: ServerKey) throws(TLSFileError) -> TLSServer {
        for files in Self.files(key) { try load(files) }
        guard let server = TLSServer(try settings(key), certificates: try certificates(key.certificates)) else {
            throw TLSFileError("OpenSSL refuses the settings of `tls`")
        }
        return server
    }

    private mutating func makeClient(_ key: ClientKey) throws(TLSFileError) -> TLSClient {
        for files in Self.files(key) { try load(files) }
        guard let client = TLSClient(try settings(key), own: try own(key)) else {
            throw TLSFileError("OpenSSL refuses the settings of `upstream_tls`")
        }
        return client
    }

    private func settings(_ key: ServerKey) throws(TLSFileError) -> TLSServerSettings {
        var settings = TLSServerSettings()
        settings.minimum = key.minimum
        settings.protocols = key.protocols
        settings.allowedNames = key.names
        settings.demandsCertificate = key.demandsCertificate
        settings.clientPins = key.pins.map(\.bytes)
        if let file = key.authorities { settings.clientAuthorities = sources[[file]]?.bytes[0] ?? [] }
        return settings
    }

    private func settings(_ key: ClientKey) throws(TLSFileError) -> TLSClientSettings {
        var settings = TLSClientSettings()
        settings.minimum = key.minimum
        settings.verifies = key.settings.verifies
        settings.protocols = key.settings.protocols
        settings.serverName = key.settings.serverName
        if let file = key.settings.authorities { settings.authorities = sources[[file]]?.bytes[0] ?? [] }
        return settings
    }

    private func certificates(_ files: [CertificateFiles]) throws(TLSFileError) -> CertificateSet {
        let bytes = files.compactMap { files in
            sources[[files.certificate, files.key]].map { CertificateBytes(chain: $0.bytes[0], key: $0.bytes[1]) }
        }
        do throws(CertificateProblem) {
            return try CertificateSet(bytes)
        } catch {
            throw TLSFileError(error.text)
        }
    }

    private func own(_ key: ClientKey) throws(TLSFileError) -> CertificateSet? {
        guard let own = key.settings.own else { return nil }
        return try certificates([own])
    }

    private mutating func load(_ files: [NamedFile]) throws(TLSFileError) {
        if sources[files] != nil { return }
        let stamps = files.map { FileStamp(of: $0.path) }
        let bytes = try Self.read(files)
        _ = try Self.check(files, bytes, now: .min)
        sources[files] = Source(files: files, stamps: stamps, bytes: bytes)
    }

    private static func read(_ files: [NamedFile]) throws(TLSFileError) -> [[UInt8]] {
        var bytes: [[UInt8]] = []
        for file in files {
            do throws(ValueError) {
                bytes.append(try readWhole(file))
            } catch {
                throw TLSFileError(error.message)
            }
        }
        return bytes
    }

    private static func check(
        _ files: [NamedFile], _ bytes: [[UInt8]], now: Int64
    ) throws(TLSFileError) -> (names: String, expiry: Int64) {
        do throws(CertificateProblem) {
            guard bytes.count == 2 else {
                try CertificateSet.check(authorities: bytes[0])
                return ("", 0)
            }
            let set = try CertificateSet([CertificateBytes(chain: bytes[0], key: bytes[1])])
            let expiry = set.expiry(at: 0)
            if expiry > now { return (set.names(at: 0), expiry) }
        } catch {
            throw TLSFileError("\((error.isAboutKey ? files.last : files.first)?.text ?? ""): \(error.text)")
        }
        throw TLSFileError("\(files[0].text): the certificate has ended")
    }
}
#endif

/// A file that cannot be used, in words that have no byte of it.
struct TLSFileError: Error {
    let text: String

    init(_ text: String) {
        self.text = text
    }
}
