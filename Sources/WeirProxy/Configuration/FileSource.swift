public import WeirConfiguration

/// A file as a source of configuration. It is read once for each load; changes of it, and of the files that the
/// configuration names, are noticed by a ``ConfigurationWatcher``.
public final class FileSource: ConfigurationSource {
    /// An element for each change of the file, or of one that it names; several at once are one.
    public let changes: AsyncStream<Void>
    private let file: ConfigurationFile
    private let watcher: ConfigurationWatcher
    private let continuation: AsyncStream<Void>.Continuation

    /// A source for a file of which `content` is in use, together with files beside it.
    public init(_ file: ConfigurationFile, seen content: [UInt8]?, dependencies: [FileDependency] = []) {
        self.file = file
        // Changes that come while one is acted on are one more.
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        changes = stream
        self.continuation = continuation
        watcher = ConfigurationWatcher(path: file.path, seen: content, dependencies: dependencies) {
            continuation.yield()
        }
    }

    /// The path of the file.
    public var name: String { file.path }

    /// Reads the file again, which must be a regular one by then: a pipe would hold up the reload, and with it the end
    /// of the process.
    public func load() async -> ConfigurationFragment {
        let (fragment, content) = ConfigurationFragment.reading(
            file: file.path, environment: file.environment, waits: false)
        watcher.markSeen(content)
        return fragment.completingAgent(from: file.environment)
    }

    /// Begins to watch.
    public func start() throws {
        try watcher.start()
    }

    /// Lets the watch end, within a second.
    public func stop() {
        watcher.stop()
        continuation.finish()
    }

    /// Watches these files, too.
    public func follow(_ dependencies: [FileDependency]) {
        watcher.follow(dependencies)
    }
}
