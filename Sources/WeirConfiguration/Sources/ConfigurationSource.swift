/// A supplier of configuration: a file, or a container engine that tells of labels.
///
/// Sources are read together: each gives a fragment, and the fragments are merged into one configuration.
public protocol ConfigurationSource: Sendable {
    /// The source in the log.
    var name: String { get }

    /// Reads what the source says now. What is wrong is in the fragment, never thrown: other sources go on.
    func load() async -> ConfigurationFragment

    /// An element whenever the source may say something else than it did at the last ``load()``. It has one consumer,
    /// begins with ``start()`` and ends with ``stop()``.
    var changes: AsyncStream<Void> { get }

    /// Begins to look out for changes. Called once, after the first load.
    /// - Throws: where it cannot; then only a reload that is asked for reads it again.
    func start() throws

    /// Ends that.
    func stop()

    /// Tells which files the configuration was found to depend on, after each load. Whether one of them has changed is
    /// for the source to notice that names it.
    func follow(_ dependencies: [FileDependency])
}

extension ConfigurationSource {
    /// Nothing: most sources name no files.
    public func follow(_ dependencies: [FileDependency]) {}
}

/// The content of one source at one time.
public struct ConfigurationFragment: Sendable {
    /// The tree; nil where it could not be read, which ``diagnostics`` say.
    public let root: ConfigurationNode?
    /// Errors and warnings, as far as the source can tell.
    public let diagnostics: [Diagnostic]

    /// Joins a tree and what is said of it.
    public init(root: ConfigurationNode?, diagnostics: [Diagnostic] = []) {
        self.root = root
        self.diagnostics = diagnostics
    }
}

extension ConfigurationFragment {
    /// Reads YAML. `file` is its name in messages, and paths in it are relative to its folder. Pure.
    public init(yaml bytes: [UInt8], file: String, environment: [String: String]) {
        let all = Diagnostics()
        let diagnostics = FileDiagnostics(file: file, diagnostics: all)
        var root: ConfigurationNode?
        if bytes.count > Configuration.maxFileByteCount {
            diagnostics.error(nil, "expected a file of at most 4 MiB, found more")
        } else if let text = decodeText(bytes, diagnostics: diagnostics) {
            root = YAMLReader(environment: environment, diagnostics: diagnostics).read(text)
        }
        self.init(root: root, diagnostics: all.sorted)
    }

    /// A file that cannot be read.
    public init(unreadable file: String, because reason: String) {
        self.init(
            root: nil, diagnostics: [Diagnostic(file: file, location: nil, message: reason)])
    }

    /// Reads a file of YAML once. Blocks while it reads: with `waits` also for what writes into a pipe; without,
    /// anything but a regular file is an error.
    /// - Returns: the bytes that were read, too; nil where there are none.
    public static func reading(
        file path: String, environment: [String: String], waits: Bool = true
    ) -> (fragment: ConfigurationFragment, bytes: [UInt8]?) {
        do throws(ValueError) {
            let bytes = try readFile(
                path: path, limit: Configuration.maxFileByteCount, kind: waits ? .any : .regular)
            return (ConfigurationFragment(yaml: bytes, file: path, environment: environment), bytes)
        } catch {
            return (ConfigurationFragment(unreadable: path, because: error.message), nil)
        }
    }
}
