import Glibc
import Synchronization
import TestSupport
import Testing
import WeirConfiguration

@testable import WeirProxy

/// Counts calls.
private final class Calls: Sendable {
    private let value = Atomic<Int>(0)
    var count: Int { value.load(ordering: .relaxed) }
    func add() { value.add(1, ordering: .relaxed) }
}

struct ConfigurationWatcherTests {
    private func watch(_ path: String) throws -> (ConfigurationWatcher, Calls) {
        let calls = Calls()
        let watcher = ConfigurationWatcher(path: path, seen: FileContent.read(path)) { calls.add() }
        try watcher.start()
        return (watcher, calls)
    }

    @Test("A file that is written, and one that is renamed over it, are changes")
    func writeAndRename() throws {
        let folder = try TemporaryDirectory("watch")
        let path = try folder.write("weir.yml", "one")
        let (watcher, calls) = try watch(path)
        defer { watcher.stop() }
        try folder.write("weir.yml", "two")
        try waitUntil("the write is seen") { calls.count == 1 }
        try folder.replace("weir.yml", "three")
        try waitUntil("the rename is seen") { calls.count == 2 }
    }

    @Test("A touch, and a file with the same content, are no change; the next real one is")
    func sameContent() throws {
        let folder = try TemporaryDirectory("watch")
        let path = try folder.write("weir.yml", "same")
        let (watcher, calls) = try watch(path)
        defer { watcher.stop() }
        try #require(utimes(path, nil) == 0)
        try folder.replace("weir.yml", "same")
        try folder.write("other.yml", "noise")
        try folder.replace("weir.yml", "different")
        try waitUntil("the real change is seen") { calls.count >= 1 }
        #expect(calls.count == 1)
    }

    @Test("The swap of a symbolic link on the way is a change, as Kubernetes publishes a ConfigMap")
    func linkSwap() throws {
        let folder = try TemporaryDirectory("watch")
        for (name, text) in [("v1", "one"), ("v2", "two")] {
            try #require(mkdir(folder.file(name), 0o755) == 0)
            try folder.write("\(name)/weir.yml", text)
        }
        try #require(symlink("v1", folder.file("..data")) == 0)
        try #require(symlink("..data/weir.yml", folder.file("weir.yml")) == 0)
        let (watcher, calls) = try watch(folder.file("weir.yml"))
        defer { watcher.stop() }
        try #require(symlink("v2", folder.file("..data_tmp")) == 0)
        try #require(rename(folder.file("..data_tmp"), folder.file("..data")) == 0)
        try waitUntil("the swap is seen") { calls.count == 1 }
        // The folder behind the link is watched now.
        try folder.write("v2/weir.yml", "three")
        try waitUntil("a write behind the link is seen") { calls.count == 2 }
    }

    @Test("A file that is away for a moment is a change only where it comes back different")
    func removedAndBack() throws {
        let folder = try TemporaryDirectory("watch")
        let path = try folder.write("weir.yml", "one")
        let (watcher, calls) = try watch(path)
        defer { watcher.stop() }
        try #require(unlink(path) == 0)
        try folder.write("weir.yml", "two")
        try waitUntil("the new file is seen") { calls.count == 1 }
    }

    @Test("Content that was already read for another reason is no change")
    func markSeen() throws {
        let folder = try TemporaryDirectory("watch")
        let path = try folder.write("weir.yml", "one")
        let calls = Calls()
        let watcher = ConfigurationWatcher(path: path, seen: FileContent.read(path)) { calls.add() }
        try folder.write("weir.yml", "two")
        watcher.markSeen(FileContent.read(path))
        try watcher.start()
        defer { watcher.stop() }
        try folder.write("weir.yml", "three")
        try waitUntil("only the later change is seen") { calls.count == 1 }
    }

    @Test("A change between the reading of the file and the start of the watch is not missed")
    func changeBeforeStart() throws {
        let folder = try TemporaryDirectory("watch")
        let path = try folder.write("weir.yml", "new")
        let calls = Calls()
        let watcher = ConfigurationWatcher(path: path, seen: Array("old".utf8)) { calls.add() }
        try watcher.start()
        defer { watcher.stop() }
        try waitUntil("the change is seen") { calls.count == 1 }
    }

    @Test("A watcher has one thread, however often it is started, and none after its end")
    func severalStarts() throws {
        let folder = try TemporaryDirectory("watch")
        let path = try folder.write("weir.yml", "one")
        let (watcher, calls) = try watch(path)
        for _ in 0..<3 { try watcher.start() }
        try folder.write("weir.yml", "two")
        try waitUntil("the write is seen") { calls.count == 1 }
        #expect(watchCount(of: folder.path) == 1)
        watcher.stop()
        try waitUntil("the watch is gone") { watchCount(of: folder.path) == 0 }
        try watcher.start()
        #expect(watchCount(of: folder.path) == 0)
    }

    /// How many inotify descriptors of this process watch a folder (proc_pid_fdinfo(5)).
    private func watchCount(of folder: String) -> Int {
        var status = stat()
        guard unsafe lstat(folder, &status) == 0 else { return 0 }
        let mark = " ino:\(String(status.st_ino, radix: 16)) "
        return (0..<4096).count { contents(of: "/proc/self/fdinfo/\($0)").contains(mark) }
    }

    @Test("Every folder that can change the meaning of a path is watched")
    func folders() {
        let links = [
            "/etc/weir": "/srv/weir-1", "/srv/weir-1/weir.yml": "..data/weir.yml", "/srv/weir-1/..data": "v1",
            "/loop": "/loop",
        ]
        func folders(_ path: String, current: String = "/") -> [String] {
            WatchedPath.folders(of: path, current: current) { links[$0] }
        }
        #expect(folders("/a/b/weir.yml") == ["/a/b"])
        #expect(folders("weir.yml", current: "/a") == ["/a"])
        #expect(folders("../b/./weir.yml", current: "/a") == ["/b"])
        #expect(folders("/weir.yml") == ["/"])
        #expect(folders("/etc/weir/weir.yml") == ["/etc", "/srv/weir-1", "/srv/weir-1/v1"])
        #expect(folders("/loop/weir.yml").contains("/"))
    }

    @Test("A file beside the configuration is watched wherever it is, also one that is named only later")
    func dependencies() throws {
        let (folder, other) = (try TemporaryDirectory("watch"), try TemporaryDirectory("watch"))
        let path = try folder.write("weir.yml", "same")
        let list = try other.write("list.txt", "one")
        let calls = Calls()
        let watcher = ConfigurationWatcher(
            path: path, seen: FileContent.read(path),
            dependencies: [FileDependency(path: list, stamp: FileStamp(of: list))]
        ) { calls.add() }
        try watcher.start()
        defer { watcher.stop() }
        try other.replace("list.txt", "two")
        try waitUntil("the list is seen") { calls.count == 1 }
        let later = try other.write("later.txt", "one")
        watcher.markSeen(FileContent.read(path))
        watcher.follow([FileDependency(path: later, stamp: FileStamp(of: later))])
        // No longer one of its files; and one that is away is no change, until it is back.
        try other.replace("list.txt", "three")
        try #require(unlink(later) == 0)
        try other.write("later.txt", "two")
        try waitUntil("the other list is seen") { calls.count == 2 }
    }

    @Test("What changed between the reading of a file and the start of the watch is a change")
    func changedBeforeStart() throws {
        let folder = try TemporaryDirectory("watch")
        let path = try folder.write("weir.yml", "same")
        let list = try folder.write("list.txt", "one")
        let stamp = FileStamp(of: list)
        try folder.replace("list.txt", "two")
        let calls = Calls()
        let watcher = ConfigurationWatcher(
            path: path, seen: FileContent.read(path), dependencies: [FileDependency(path: list, stamp: stamp)]
        ) { calls.add() }
        try watcher.start()
        defer { watcher.stop() }
        try waitUntil("the earlier change is seen") { calls.count == 1 }
    }
}
