import LinuxIO
import Synchronization
import Threading
public import WeirConfiguration

/// Tells when the content of a file has changed: through writes, renames and swaps of symbolic links. Touching a file,
/// or replacing it by one with the same content, is no change; a file that is away for a moment is none either.
///
/// Files that it depends on may be large: of them only the stamp is compared, so that a touch is a change.
///
/// A change is told when all of the files have looked the same for two seconds: size, time of change and inode. So none
/// is taken that is still being written, and one that never rests is never taken (SIGHUP takes files as they are).
public final class ConfigurationWatcher: Sendable {
    private let path: String
    private let onChange: @Sendable () -> Void
    private let isStarted = Atomic<Bool>(false)
    private let isStopped = Atomic<Bool>(false)
    /// Content that was acted on last; nil where there was none to read.
    private let seen: Lock<[UInt8]?>
    /// Files beside it, as they were when they were read last.
    private let dependencies: Lock<[FileDependency]>

    /// The files themselves are looked at this often too, for file systems that report nothing; in milliseconds.
    private static let pollInterval = 1000
    /// The same while a change waits for the files to rest.
    private static let restIntervalMilliseconds = 100
    /// However much happens, the files are looked at after so many reports.
    private static let maxReports = 20

    /// Watches `path` and calls `onChange` on the watcher's thread. `seen` is the content that is in use: a change
    /// between its reading and the start of the watch is a change too.
    public init(
        path: String, seen: [UInt8]?, dependencies: [FileDependency] = [], onChange: @escaping @Sendable () -> Void
    ) {
        self.path = path
        self.onChange = onChange
        self.seen = Lock(seen)
        self.dependencies = Lock(dependencies)
    }

    /// Starts the thread. A watcher has one: after a start that succeeded another call does nothing, nor does one after
    /// ``stop()``.
    public func start() throws(SystemError) {
        guard !isStopped.load(ordering: .relaxed), !isStarted.exchange(true, ordering: .relaxed) else { return }
        do throws(SystemError) {
            let watch = try FolderWatch()
            // The thread takes the watch over; a closure cannot consume what it captures, so it travels in a box.
            let box = WatchBox(watch)
            try Thread.start { [self] in run(box) }
        } catch {
            isStarted.store(false, ordering: .relaxed)
            throw error
        }
    }

    /// Lets the thread end, within a second.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
    }

    /// Notes that this content is in use, or was refused: the file was read for another reason (SIGHUP).
    public func markSeen(_ content: [UInt8]?) {
        seen.withLock { $0 = content }
    }

    /// These files are a part of what is in use, or was refused, as they were when they were read.
    public func follow(_ dependencies: [FileDependency]) {
        self.dependencies.withLock { $0 = dependencies }
    }

    private func run(_ box: WatchBox) {
        var watched: Set<String> = []
        addFolders(to: box, &watched)
        // What came before the folders were watched was not reported: it waits to be compared from the beginning.
        var rest = FileRest(stamps, now: MonotonicClock.system.nanoseconds)
        while !isStopped.load(ordering: .relaxed) {
            let isReported = box.wait(milliseconds: rest.isWaiting ? Self.restIntervalMilliseconds : Self.pollInterval)
            // Reports that come together are one.
            var reports = isReported ? 1 : Self.maxReports
            while reports < Self.maxReports, box.wait(milliseconds: Self.restIntervalMilliseconds) { reports += 1 }
            // The file may have been read again meanwhile, and name other files now; links may lead elsewhere.
            if isReported || !watched.isSuperset(of: paths) { addFolders(to: box, &watched) }
            let hasRested = rest.note(
                stamps, isReported: isReported || hasChangedDependency, now: MonotonicClock.system.nanoseconds)
            if hasRested { compare() }
        }
    }

    private var stamps: [String: FileStamp] {
        Dictionary(paths.map { ($0, FileStamp(of: $0)) }, uniquingKeysWith: { first, _ in first })
    }

    private var paths: [String] { [path] + dependencies.withLock { $0.map(\.path) } }

    private func addFolders(to box: WatchBox, _ watched: inout Set<String>) {
        watched = Set(paths)
        for path in watched {
            for folder in WatchedPath.folders(of: path) { box.add(folder) }
        }
    }

    /// Acts where the content differs from what was acted on last.
    private func compare() {
        guard let content = FileContent.read(path) else { return }
        let isNew = seen.withLock { seen in
            defer { seen = content }
            return seen != content
        }
        let isOtherNew = takeChangedDependencies()
        if isNew || isOtherNew { onChange() }
    }

    /// A file that is missing is no change: it comes back, or the next reload reports it.
    private var hasChangedDependency: Bool {
        dependencies.withLock { $0 }.contains { dependency in
            let stamp = FileStamp(of: dependency.path)
            return stamp.isThere && stamp != dependency.stamp
        }
    }

    private func takeChangedDependencies() -> Bool {
        dependencies.withLock { dependencies in
            var hasChanged = false
            for index in dependencies.indices {
                let stamp = FileStamp(of: dependencies[index].path)
                guard stamp.isThere, stamp != dependencies[index].stamp else { continue }
                dependencies[index] = FileDependency(path: dependencies[index].path, stamp: stamp)
                hasChanged = true
            }
            return hasChanged
        }
    }
}

/// Keeps a folder watch for the one thread that uses it.
private final class WatchBox: Sendable {
    private let watch: FolderWatch

    init(_ watch: consuming FolderWatch) {
        self.watch = watch
    }

    /// A folder that is gone, or may not be read, is watched again when something else changes.
    func add(_ folder: String) {
        try? watch.add(folder)
    }

    /// Whether something changed in time. Where waiting fails, the file is looked at all the same.
    func wait(milliseconds: Int) -> Bool {
        do throws(SystemError) {
            switch try watch.wait(within: .milliseconds(milliseconds)) {
            case .changed: return true
            case .timedOut: return false
            }
        } catch {
            return false
        }
    }
}

/// The content of a file.
enum FileContent {
    /// As long as a configuration may be; the reader reads one byte more.
    private static let maxBytes = 4 << 20

    /// The bytes; nil where it cannot be read, or is no regular file.
    static func read(_ path: String) -> [UInt8]? {
        do throws(ValueError) {
            return try readFile(path: path, limit: maxBytes, kind: .regular)
        } catch {
            return nil
        }
    }
}
