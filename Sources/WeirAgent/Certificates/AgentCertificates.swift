import Glibc

/// Makes the certificates of an agent and its clients, in files of one folder. None is ever overwritten.
public struct AgentCertificates: Sendable {
    /// The agent's name, which its certificate has besides the one that clients verify.
    public var name: String
    /// The folder, which is made where it is not there.
    public var directory: String
    /// The days until the certificates end.
    public var days = maxDays
    /// The name of a further client of the authority that is there; nil makes everything.
    public var client: String?
    /// Whether the client may only ask for `/metrics` and `/healthz`.
    public var isScraper = false

    /// The most days, after which other programs take no certificate either.
    public static let maxDays = 825
    /// The authority outlives what it signs.
    private static let authorityDays = 3650
    private static let maxFileBytes = 1 << 16

    /// The reason why nothing was made.
    public enum Problem: Error, Sendable, CustomStringConvertible {
        /// The name cannot stand in a certificate and in the name of a file.
        case badName(String)
        /// The number of days is not from 1 to ``maxDays``.
        case badDays(Int)
        /// The file is there already.
        case exists(String)
        /// A file cannot be read or written.
        case file(String, CInt)
        /// The authority's files do not belong together, or cannot be read.
        case badAuthority(String)
        /// OpenSSL has no memory.
        case failed

        /// One line that names what failed.
        public var description: String {
            switch self {
            case .badName(let name):
                "expected a name of 1 to 63 letters, digits and `-`, perhaps with dots, found `\(name)`"
            case .badDays(let days): "expected 1 to \(AgentCertificates.maxDays) days, found \(days)"
            case .exists(let path): "\(path) is there already, and nothing is overwritten"
            case .file(let path, let code): "\(path): \(unsafe String(cString: strerror(code)))"
            case .badAuthority(let directory):
                "\(directory): `ca.pem` and `ca.key` are no certificate of an authority and its key"
            case .failed: "OpenSSL cannot make a certificate"
            }
        }
    }

    /// A file that was made.
    public struct MadeFile: Sendable {
        /// Its path.
        public let path: String
        /// The SHA-256 of a certificate; nil for other files.
        public let fingerprint: String?
    }

    /// Certificates for an agent of this name, in a folder.
    public init(name: String, directory: String) {
        self.name = name
        self.directory = directory
    }

    /// Makes them. All or, but for what cannot be removed again, none of the files are there afterwards.
    public func make() throws(Problem) -> [MadeFile] {
        for name in [name, client].compactMap(\.self) where !Self.isName(name) { throw .badName(name) }
        guard (1...Self.maxDays).contains(days) else { throw .badDays(days) }
        guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw .file(directory, errno) }
        return try client == nil && !isScraper ? makeAll() : makeClient()
    }

    /// Whether a text is a host name, whose characters mean nothing in the lists of OpenSSL nor in paths.
    private static func isName(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count) && !text.hasPrefix(".") && !text.hasPrefix("-")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private func makeAll() throws(Problem) -> [MadeFile] {
        guard
            let authority = IssuedCertificate(
                .authority, commonName: "weir agent \(name)", names: "", days: Self.authorityDays, signedBy: nil),
            let server = IssuedCertificate(
                .server, commonName: name, names: "DNS:\(TunnelProtocol.serverName),DNS:\(name)", days: days,
                signedBy: authority),
            let client = IssuedCertificate(
                .client, commonName: "client", names: "URI:\(AgentRole.clientName)", days: days, signedBy: authority)
        else { throw .failed }
        return try write([
            File("ca.pem", authority.certificate, mode: 0o644, authority.fingerprint),
            File("ca.key", authority.key, mode: 0o600),
            File("server.pem", server.certificate, mode: 0o644, server.fingerprint),
            File("server.key", server.key, mode: 0o600),
            File("client.pem", client.certificate, mode: 0o644, client.fingerprint),
            File("client.key", client.key, mode: 0o600),
            File("\(name).zip", Self.bundle(authority, client), mode: 0o600),
        ])
    }

    private func makeClient() throws(Problem) -> [MadeFile] {
        let authority = IssuedCertificate(certificate: try read("ca.pem"), key: try read("ca.key"))
        let label = client ?? "scraper"
        let role = isScraper ? AgentRole.scraperName : AgentRole.clientName
        guard
            let made = IssuedCertificate(
                .client, commonName: label, names: "URI:\(role)", days: days, signedBy: authority)
        else { throw .badAuthority(directory) }
        var files = [
            File("\(label).pem", made.certificate, mode: 0o644, made.fingerprint),
            File("\(label).key", made.key, mode: 0o600),
        ]
        if !isScraper { files.append(File("\(label).zip", Self.bundle(authority, made), mode: 0o600)) }
        return try write(files)
    }

    /// The files that a proxy needs, by the names that proxies expect.
    private static func bundle(_ authority: IssuedCertificate, _ client: IssuedCertificate) -> [UInt8] {
        var archive = ZipWriter()
        archive.append("ca.pem", authority.certificate)
        archive.append("cert.pem", client.certificate)
        archive.append("key.pem", client.key)
        return archive.finish()
    }

    // MARK: Files

    private struct File {
        let name: String
        let content: [UInt8]
        let mode: mode_t
        let fingerprint: String?

        init(_ name: String, _ content: [UInt8], mode: mode_t, _ fingerprint: String? = nil) {
            self.name = name
            self.content = content
            self.mode = mode
            self.fingerprint = fingerprint
        }
    }

    private func path(_ name: String) -> String { directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)" }

    private func write(_ files: [File]) throws(Problem) -> [MadeFile] {
        for file in files where unsafe access(path(file.name), F_OK) == 0 { throw .exists(path(file.name)) }
        var made: [MadeFile] = []
        for file in files {
            do throws(Problem) {
                try Self.write(file, at: path(file.name))
            } catch {
                for file in made { unsafe unlink(file.path) }
                throw error
            }
            made.append(MadeFile(path: path(file.name), fingerprint: file.fingerprint))
        }
        return made
    }

    private static func write(_ file: File, at path: String) throws(Problem) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, file.mode)
        guard descriptor >= 0 else { throw errno == EEXIST ? .exists(path) : .file(path, errno) }
        // The umask of the caller may have taken bits away.
        var isGood = fchmod(descriptor, file.mode) == 0
        var rest = file.content[...]
        while isGood, !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else { isGood = errno == EINTR }
        }
        isGood = isGood && fsync(descriptor) == 0
        let code = errno
        isGood = close(descriptor) == 0 && isGood
        guard isGood else {
            unsafe unlink(path)
            throw .file(path, code)
        }
    }

    private func read(_ name: String) throws(Problem) -> [UInt8] {
        let path = path(name)
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file(path, errno) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.maxFileBytes)
        var count = 0
        while count < bytes.count {
            let result = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress.map { unsafe $0 + count }, buffer.count - count)
            }
            if result == 0 { break }
            guard result > 0 else {
                if errno == EINTR { continue }
                throw .file(path, errno)
            }
            count += result
        }
        return Array(bytes[..<count])
    }
}
