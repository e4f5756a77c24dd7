import CLinux
import Glibc
import NetworkTypes
import Threading

/// The file of a listening Unix socket (unix(7)). The process that created it removes it with ``remove()``.
public struct UnixSocketFile: Sendable {
    /// Why a path cannot be listened on.
    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// The path names a file that is not a socket, perhaps a symbolic link. It was left as it is.
        case occupied
        /// Another process listens there.
        case inUse
        /// A call failed.
        case system(SystemError)

        /// The message without the path, such as `another process listens there already`.
        public var description: String {
            switch self {
            case .occupied: "something that is not a socket is there"
            case .inUse: "another process listens there already"
            case .system(let error): "\(error)"
            }
        }
    }

    /// The path of the file.
    public let path: UnixSocketPath
    /// The path at which it was bound.
    private let firstPath: UnixSocketPath
    private let identity: weir_file

    /// The attempts to take the lock, and the pause between two. The holder inspects a single path, so it is brief.
    private static let lockAttempts = 100
    private static let lockPause = Duration.milliseconds(10)
    private static let nextSuffix = ".next"
    /// Held while a file is renamed, and between the look at a file and its removal: else one that takes its place in
    /// between would be removed instead.
    private static let changes = Lock(())

    /// Binds `socket` to `path` with these permission bits, and listens. Replaces a stale socket file, and no other
    /// file. Blocks for a second at most, while another process does the same at this path.
    ///
    /// With `replacesListener` there may be a listener, which is the caller's and keeps every client: the file has the
    /// name with `.next` behind it until ``takePlace()``.
    public static func listen(
        _ socket: borrowing Socket, at path: UnixSocketPath, mode: UInt32, backlog: Int, replacesListener: Bool = false
    ) throws(Failure) -> UnixSocketFile {
        // Between the look and the listen, no other Weir may find the same stale file, or ours, and take it for
        // abandoned.
        let lock = try lock(path)
        defer { withExtendedLifetime(lock) {} }
        let bound = replacesListener ? UnixSocketPath(path.path + nextSuffix) : path
        guard let bound else { throw .system(SystemError(.bind, ENAMETOOLONG)) }
        try clear(bound)
        // The file has these bits from the start: it is never more open, not even for a moment.
        try call(.changeMode, weir_set_socket_mode(socket.number, mode))
        do throws(SystemError) { try socket.bind(bound) } catch { throw .system(error) }
        let file = UnixSocketFile(path: path, firstPath: bound, identity: try look(at: bound) ?? weir_file())
        do throws(Failure) {
            var identity = file.identity
            // The umask has removed bits.
            if identity.mode != mode {
                try call(.changeMode, unsafe weir_set_file_mode(bound.path, &identity, mode))
            }
            do throws(SystemError) { try socket.listen(backlog: backlog) } catch { throw .system(error) }
        } catch {
            file.remove()
            throw error
        }
        return file
    }

    /// Puts the file at its path, where it replaces that of the listener before it in one step (rename(2)). Does
    /// nothing where it is there already.
    public func takePlace() throws(Failure) {
        if firstPath == path { return }
        try Self.call(.rename, Self.changes.withLock { _ in unsafe weir_rename(firstPath.path, path.path) })
    }

    /// Changes the permission bits of the file, unless the path names another file by now.
    public func setMode(_ mode: UInt32) throws(Failure) {
        var identity = identity
        try Self.call(.changeMode, unsafe weir_set_file_mode(path.path, &identity, mode))
    }

    /// Removes the file, unless the path names another file by now. A failure is ignored: the next listener replaces
    /// the stale file.
    public func remove() {
        Self.changes.withLock { _ in
            for path in Set([path, firstPath]) {
                guard let found = try? Self.look(at: path), found.device == identity.device,
                    found.inode == identity.inode
                else { continue }
                _ = unsafe weir_unlink(path.path)
            }
        }
    }

    // MARK: The path

    /// Removes a stale socket file. Throws if the path is in use.
    private static func clear(_ path: UnixSocketPath) throws(Failure) {
        guard let found = try look(at: path) else { return }
        guard found.is_socket != 0 else { throw .occupied }
        let probe: Socket
        do throws(SystemError) { probe = try Socket(.stream, family: .unix) } catch { throw .system(error) }
        switch probe.connect(to: path) {
        case .failed(let error) where error.code == ECONNREFUSED:
            try call(.unlink, unsafe weir_unlink(path.path))
        // A full queue belongs to a live listener, too.
        case .connected, .inProgress: throw .inUse
        case .failed(let error) where error.code == EAGAIN || error.code == EPROTOTYPE: throw .inUse
        case .failed(let error): throw .system(error)
        }
    }

    /// The file at the path; nil if there is none.
    private static func look(at path: UnixSocketPath) throws(Failure) -> weir_file? {
        var found = weir_file()
        let result = unsafe weir_look_at_path(path.path, &found)
        if result == -ENOENT { return nil }
        try call(.look, result)
        return found
    }

    /// Takes the lock of a path: a file of its own beside it, which only this user can open. The folder itself can be
    /// locked by any user who can read it. Returns nil where another file is in its place or the lock stays taken: then
    /// only two that start at the same instant are not kept apart.
    private static func lock(_ path: UnixSocketPath) throws(Failure) -> SocketLock? {
        let name = path.path + ".lock"
        for _ in 0..<lockAttempts {
            let result = unsafe weir_lock_file(name)
            if result >= 0 { return SocketLock(name, FileDescriptor(adopting: result)) }
            if result == -ENOENT || result == -ENOTDIR { throw .system(SystemError(.lock, -result)) }
            guard result == -EWOULDBLOCK else { return nil }
            Poll.pause(lockPause)
        }
        return nil
    }

    private static func call(_ operation: SystemError.Operation, _ result: CInt) throws(Failure) {
        if result < 0 { throw .system(SystemError(operation, -result)) }
    }
}

/// The lock of a path; released, and its file removed, when the object ends.
private final class SocketLock {
    private let name: String
    private let descriptor: FileDescriptor

    init(_ name: String, _ descriptor: consuming FileDescriptor) {
        self.name = name
        self.descriptor = descriptor
    }

    // The file goes while the lock is held: a process that waits for it sees that its name is gone, and opens another.
    deinit { _ = unsafe weir_unlink(name) }
}
