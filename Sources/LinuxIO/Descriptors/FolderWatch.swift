import CLinux
import Glibc

/// Detects that a file in a folder was created, written, moved or removed (inotify(7)).
///
/// Folders, not files: a file that is replaced by a rename, or reached through a symbolic link that is swapped, is
/// another inode each time, while the folder that names it stays. It has one owner; ``wait(within:)`` blocks.
public struct FolderWatch: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// The outcome of a wait.
    public enum Outcome: Sendable {
        /// A watched folder changed. The caller examines its file itself.
        case changed
        /// No change within the limit.
        case timedOut
    }

    /// Creates a watch without folders.
    public init() throws(SystemError) {
        descriptor = FileDescriptor(adopting: try check(weir_inotify_create(), .inotify))
    }

    /// Adds a folder. Adding it again changes nothing.
    public borrowing func add(_ folder: String) throws(SystemError) {
        try check(unsafe weir_inotify_watch_folder(descriptor.rawValue, folder), .inotify)
    }

    /// Waits for a change, for at most this long, and consumes all events reported until now.
    public borrowing func wait(within limit: Duration) throws(SystemError) -> Outcome {
        guard Poll.wait(for: .readable, on: descriptor.rawValue, within: limit) else { return .timedOut }
        try takeEvents()
        return .changed
    }

    /// Empties the queue. The kernel bounds it (`max_queued_events`) and says when it overflowed; both mean "look".
    private borrowing func takeEvents() throws(SystemError) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe weir_read(descriptor.rawValue, bytes.baseAddress, bytes.count)
            }
            if count == -Int64(EAGAIN) { return }
            if count < 0 { throw SystemError(.inotify, CInt(-count)) }
            if count == 0 { return }
        }
    }
}
