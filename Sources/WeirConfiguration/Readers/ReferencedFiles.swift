/// A file beside the configuration that it depends on, and how it looked when it was read.
public struct FileDependency: Sendable, Hashable {
    /// Its path, absolute.
    public let path: String
    /// How it looked just before it was read.
    public let stamp: FileStamp

    /// Names a file.
    public init(path: String, stamp: FileStamp) {
        self.path = path
        self.stamp = stamp
    }
}

/// The things that a configuration may refer to: files beside it, and the meaning of access rules. Each file is read
/// once, however many routes name it.
final class ReferencedFiles {
    /// The bound on a list file, in bytes.
    static let maxListByteCount = 32 << 20

    /// Whether files may be opened at all.
    let opensFiles: Bool
    let rules: (any AccessRuleValidation)?
    let certificates: (any CertificateValidation)?
    /// The certificates that were read, each once, in order.
    private(set) var certificateReports: [CertificateReport] = []
    /// The files that were read, in order.
    private(set) var dependencies: [FileDependency] = []
    private var lists: [String: Result<AccessEntry.File, ValueError>] = [:]
    private var checkResults: [String: AccessRuleCheckResult] = [:]
    /// How many rules the list files had that are in force, by their path.
    private let ruleCountsBefore: [String: Int]
    /// The data that rules need from a database.
    private(set) var locationKeys: Set<AccessRuleCheckResult.LocationKey> = []

    init(
        opensFiles: Bool, rules: (any AccessRuleValidation)? = nil, certificates: (any CertificateValidation)? = nil,
        ruleCountsBefore: [String: Int] = [:]
    ) {
        self.opensFiles = opensFiles
        self.rules = rules
        self.certificates = certificates
        self.ruleCountsBefore = ruleCountsBefore
    }

    /// How many rules a list file had until now; 0 for one that is new.
    func ruleCountBefore(of path: String) -> Int { ruleCountsBefore[path] ?? 0 }

    /// Remembers the facts of a certificate.
    func note(_ report: CertificateReport) {
        if !certificateReports.contains(where: { $0.path == report.path }) { certificateReports.append(report) }
    }

    /// Remembers what rules need a database to say.
    func need(_ keys: Set<AccessRuleCheckResult.LocationKey>) { locationKeys.formUnion(keys) }

    /// A path that is relative to the file that names it, as one that can be opened.
    func resolve(_ path: String, from origin: Origin) -> String {
        guard opensFiles, let folder = origin.folder, folder != ".", !path.hasPrefix("/") else { return path }
        return folder == "/" ? folder + path : folder + "/" + path
    }

    /// Remembers that the configuration depends on a file. Returns how it looks: ask before it is read.
    func depend(on path: String) -> FileStamp {
        if let known = dependencies.first(where: { $0.path == path }) { return known.stamp }
        let stamp = FileStamp(of: path)
        dependencies.append(FileDependency(path: path, stamp: stamp))
        return stamp
    }

    /// Reads a list file.
    func list(_ path: String) throws(ValueError) -> AccessEntry.File {
        if let known = lists[path] { return try known.get() }
        _ = depend(on: path)
        do throws(ValueError) {
            let bytes = try readFile(path: path, limit: Self.maxListByteCount, kind: .regular)
            let file = AccessEntry.File(path: path, bytes: bytes)
            lists[path] = .success(file)
            return file
        } catch {
            lists[path] = .failure(error)
            throw error
        }
    }

    /// The errors in the rules of a list file.
    func checkResult(of file: AccessEntry.File) -> AccessRuleCheckResult {
        if let known = checkResults[file.path] { return known }
        let verdict = rules?.check(list: file.bytes) ?? AccessRuleCheckResult()
        checkResults[file.path] = verdict
        return verdict
    }
}
