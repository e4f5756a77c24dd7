import Glibc
import LinuxIO
import NetworkTypes
import Testing

import struct TestSupport.SystemFailure
import class TestSupport.TemporaryDirectory
import func TestSupport.contents

@Suite struct UnixSocketFileTests {
    private let folder: TemporaryDirectory
    private let path: UnixSocketPath

    init() throws {
        folder = try TemporaryDirectory("unix")
        path = try #require(UnixSocketPath(folder.file("s")))
    }

    private func listen(_ socket: borrowing Socket, mode: UInt32 = 0o660) throws(UnixSocketFile.Failure)
        -> UnixSocketFile
    {
        try UnixSocketFile.listen(socket, at: path, mode: mode, backlog: 4)
    }

    private func status() throws -> stat {
        var status = stat()
        guard lstat(path.path, &status) == 0 else { throw SystemFailure("lstat") }
        return status
    }

    private func canConnect() throws -> Bool {
        if case .connected = try Socket(.stream, family: .unix).connect(to: path) { true } else { false }
    }

    @Test(
        "The file has its permissions whatever the umask is, and is removed", arguments: [0o660, 0o600, 0o666, 0o777])
    func mode(mode: UInt32) throws {
        let socket = try Socket(.stream, family: .unix)
        let file = try listen(socket, mode: mode)
        #expect(try status().st_mode & 0o7777 == mode)
        #expect(try status().st_mode & S_IFMT == S_IFSOCK)
        #expect(try canConnect())
        file.remove()
        #expect(throws: SystemFailure.self) { try status() }
        file.remove()
    }

    @Test("A stale socket file is replaced, one with a listener is not")
    func takeover() throws {
        do {
            let dead = try Socket(.stream, family: .unix)
            try dead.bind(path)
        }
        let socket = try Socket(.stream, family: .unix)
        let file = try listen(socket)
        #expect(try canConnect())
        let second = try Socket(.stream, family: .unix)
        #expect(throws: UnixSocketFile.Failure.inUse) { _ = try listen(second) }
        #expect(try canConnect())
        file.remove()
    }

    @Test("A listener with a full queue, and a socket of another kind, are not replaced")
    func full() throws {
        let socket = try Socket(.stream, family: .unix)
        try socket.bind(path)
        try socket.listen(backlog: 0)
        let client = try Socket(.stream, family: .unix)
        _ = client.connect(to: path)
        let second = try Socket(.stream, family: .unix)
        #expect(throws: UnixSocketFile.Failure.inUse) { _ = try listen(second) }
        #expect(try status().st_mode & S_IFMT == S_IFSOCK)
    }

    @Test("A file, a folder and a symbolic link are never touched, and a link is not followed")
    func occupied() throws {
        let socket = try Socket(.stream, family: .unix)
        try folder.write("s", "text")
        #expect(throws: UnixSocketFile.Failure.occupied) { _ = try listen(socket) }
        #expect(contents(of: path.path) == "text")
        unlink(path.path)
        let dead = try Socket(.stream, family: .unix)
        let target = try #require(UnixSocketPath(folder.file("target")))
        try dead.bind(target)
        symlink(target.path, path.path)
        #expect(throws: UnixSocketFile.Failure.occupied) { _ = try listen(socket) }
        #expect(try status().st_mode & S_IFMT == S_IFLNK)
        unlink(path.path)
        mkdir(path.path, 0o700)
        #expect(throws: UnixSocketFile.Failure.occupied) { _ = try listen(socket) }
        rmdir(path.path)
    }

    @Test("A folder that is not there is an error that names the call")
    func missing() throws {
        let path = try #require(UnixSocketPath(folder.file("none/s")))
        let socket = try Socket(.stream, family: .unix)
        #expect(throws: UnixSocketFile.Failure.system(SystemError(.lock, ENOENT))) {
            _ = try UnixSocketFile.listen(socket, at: path, mode: 0o660, backlog: 1)
        }
    }

    @Test("A process that holds the folder's lock for ever does not even hold up another that listens")
    func heldFolder() throws {
        let stranger = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(stranger) }
        #expect(flock(stranger, LOCK_EX | LOCK_NB) == 0)
        // To wait for the lock takes a second every time; a busy machine is not that slow ten times.
        let isPrompt = try (0..<10).contains { _ in
            let start = ContinuousClock.now
            let socket = try Socket(.stream, family: .unix)
            let file = try listen(socket)
            #expect(try canConnect())
            file.remove()
            return ContinuousClock.now - start < .seconds(1)
        }
        #expect(isPrompt)
    }

    private var lockName: String { path.path + ".lock" }

    @Test("The lock is a file of its own, which is gone once it listens, and which a process that died may have left")
    func lockFile() throws {
        try folder.write("s.lock", "left behind")
        let socket = try Socket(.stream, family: .unix)
        let file = try listen(socket)
        #expect(access(lockName, F_OK) != 0 && errno == ENOENT)
        #expect(try canConnect())
        file.remove()
    }

    @Test("A lock that is held for ever keeps no other from listening")
    func heldLock() throws {
        let stranger = open(lockName, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(stranger) }
        #expect(flock(stranger, LOCK_EX | LOCK_NB) == 0)
        let socket = try Socket(.stream, family: .unix)
        let file = try listen(socket)
        #expect(try canConnect())
        file.remove()
    }

    @Test("A link, a pipe or a folder in the place of the lock is neither followed nor touched")
    func foreignLock() throws {
        for make in [
            { symlink(folder.file("target"), lockName) }, { mkfifo(lockName, 0o600) }, { mkdir(lockName, 0o700) },
        ] {
            #expect(make() == 0)
            let socket = try Socket(.stream, family: .unix)
            let file = try listen(socket)
            #expect(try canConnect())
            file.remove()
            var status = stat()
            #expect(lstat(lockName, &status) == 0)
            #expect(access(folder.file("target"), F_OK) != 0)
            if status.st_mode & S_IFMT == S_IFDIR { rmdir(lockName) } else { unlink(lockName) }
        }
    }

    @Test("Only our own file is removed")
    func replaced() throws {
        let socket = try Socket(.stream, family: .unix)
        let file = try listen(socket)
        rename(path.path, folder.file("moved"))
        try folder.write("s", "another file")
        file.remove()
        #expect(contents(of: path.path) == "another file")
    }
}
