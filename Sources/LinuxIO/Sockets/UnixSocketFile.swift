import CLinux
import Glibc
import NetworkTypes

/// The file through which a listening Unix socket is reached (unix(7)). Whoever made it removes it.
public struct UnixSocketFile: Sendable {
    /// Why a path cannot be listened on.
    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// Something else than a socket is there, perhaps a symbolic link. It was left as it is.
        case occupied
        /// Somebody listens there.
        case inUse
        /// A call failed.
        case system(SystemError)

        /// `somebody listens there already`.
        public var description: String {
            switch self {
            case .occupied: "something that is not a socket is there"
            case .inUse: "somebody listens there already"
            case .system(let error): "\(error)"
            }
        }
    }

    /// Where it is.
    public let path: UnixSocketPath
    private let identity: weir_file

    /// How often the lock of a folder is tried, and the time between: its holder looks at one path.
    private static let lockAttempts = 100
    private static let lockPause = Duration.milliseconds(10)

    /// Binds `socket` to `path` with these permission bits, and listens. A socket on which nobody listens any more is taken
    /// over; nothing else is. Blocks for a second at most, while another process does the same in this folder.
    public static func listen(
        _ socket: borrowing Socket, at path: UnixSocketPath, mode: UInt32, backlog: Int
    ) throws(Failure) -> UnixSocketFile {
        // Between looking and listening no other Weir may find the same old file, or ours, and think that it is abandoned.
        let lock = try lockFolder(of: path)
        defer { withExtendedLifetime(lock) {} }
        try clear(path)
        // With these bits from the start: never more than that, not even for a moment.
        try call(.changeMode, weir_set_socket_mode(socket.number, mode))
        do throws(SystemError) { try socket.bind(path) } catch { throw .system(error) }
        let file = UnixSocketFile(path: path, identity: try look(at: path) ?? weir_file())
        do throws(Failure) {
            var identity = file.identity
            // What the umask took away.
            if identity.mode != mode {
                try call(.changeMode, unsafe weir_set_file_mode(path.path, &identity, mode))
            }
            do throws(SystemError) { try socket.listen(backlog: backlog) } catch { throw .system(error) }
        } catch {
            file.remove()
            throw error
        }
        return file
    }

    /// Removes the file, unless the path leads to another one by now. Where it cannot be removed it stays: the next one
    /// that listens there takes it over.
    public func remove() {
        guard let found = try? Self.look(at: path), found.device == identity.device, found.inode == identity.inode
        else { return }
        _ = unsafe weir_unlink(path.path)
    }

    // MARK: The path

    /// Makes the path free, where that harms nobody.
    private static func clear(_ path: UnixSocketPath) throws(Failure) {
        guard let found = try look(at: path) else { return }
        guard found.is_socket != 0 else { throw .occupied }
        let probe: Socket
        do throws(SystemError) { probe = try Socket(.stream, family: .unix) } catch { throw .system(error) }
        switch probe.connect(to: path) {
        case .failed(let error) where error.code == ECONNREFUSED:
            try call(.unlink, unsafe weir_unlink(path.path))
        // A queue that is full belongs to somebody, too.
        case .connected, .inProgress: throw .inUse
        case .failed(let error) where error.code == EAGAIN || error.code == EPROTOTYPE: throw .inUse
        case .failed(let error): throw .system(error)
        }
    }

    /// What is there; nil for nothing.
    private static func look(at path: UnixSocketPath) throws(Failure) -> weir_file? {
        var found = weir_file()
        let result = unsafe weir_look_at_path(path.path, &found)
        if result == -ENOENT { return nil }
        try call(.look, result)
        return found
    }

    /// Nil where the lock is not to be had: whoever may read the folder may hold it for as long as they like, and must not
    /// keep Weir from starting.
    private static func lockFolder(of path: UnixSocketPath) throws(Failure) -> FolderLock? {
        var folder = String(path.path.reversed().drop { $0 != "/" }.reversed())
        if folder.isEmpty { folder = "." }
        var attempt = 1
        while true {
            let result = unsafe weir_lock_folder(folder)
            if result >= 0 { return FolderLock(FileDescriptor(adopting: result)) }
            if result == -EACCES || (result == -EWOULDBLOCK && attempt == lockAttempts) { return nil }
            guard result == -EWOULDBLOCK else { throw .system(SystemError(.lock, -result)) }
            attempt += 1
            Poll.pause(lockPause)
        }
    }

    private static func call(_ operation: SystemError.Operation, _ result: CInt) throws(Failure) {
        if result < 0 { throw .system(SystemError(operation, -result)) }
    }
}

/// A folder that others wait for; free again when it ends.
private final class FolderLock {
    private let descriptor: FileDescriptor

    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}
