import Glibc

/// The kinds of file that a reader accepts.
package enum FileKind {
    /// A file, a pipe or a device, for whose bytes the caller may wait.
    case any
    /// A regular file: a running process that reads again must not wait for the writer of a pipe.
    case regular
}

/// Reads all of it, up to `limit` bytes and one more, so that the caller sees what is too large: the one reader of
/// files of the whole program.
package func readFile(path: String, limit: Int, kind: FileKind = .any) throws(ValueError) -> [UInt8] {
    guard !path.utf8.contains(0) else { throw ValueError("cannot read the file: its name has a NUL in it") }
    // Looked at before it is opened: to open a device can do something.
    var status = stat()
    if kind == .regular, unsafe stat(path, &status) == 0 { try requireRegular(status) }
    // The C string lives for the call only; the descriptor is closed on every way out.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | (kind == .regular ? O_NONBLOCK : 0))
    guard descriptor >= 0 else { throw ValueError("cannot read the file: \(reason(errno))") }
    defer { close(descriptor) }
    if kind == .regular {
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw ValueError("cannot read the file: \(reason(errno))")
        }
        try requireRegular(status)
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= limit {
        let count = unsafe chunk.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress, buffer.count)
        }
        if count < 0 {
            if errno == EINTR { continue }
            throw ValueError("cannot read the file: \(reason(errno))")
        }
        if count == 0 { break }
        bytes += chunk[..<count]
    }
    return bytes
}

private func requireRegular(_ status: stat) throws(ValueError) {
    let type = status.st_mode & S_IFMT
    if type == S_IFREG { return }
    throw ValueError("cannot read the file: \(type == S_IFDIR ? reason(EISDIR) : "it is no regular file")")
}

/// Whether a file can be read by every user of this machine, as far as its own permissions tell (stat(2)).
func isReadableByEverybody(path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
}

/// Enough of stat(2) to notice that a file was replaced or written to.
public struct FileStamp: Sendable, Hashable {
    private var device: UInt = 0
    private var inode: UInt = 0
    private var size = 0
    private var seconds = 0
    private var nanoseconds = 0

    /// The stamp of a file that is not there.
    public init() {}

    /// How a file looks now.
    public init(of path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }

    /// Whether there is a file.
    public var isThere: Bool { self != FileStamp() }
}

/// The usual reasons in words.
private func reason(_ number: Int32) -> String {
    switch number {
    case ENOENT: "no such file"
    case EACCES, EPERM: "permission denied"
    case EISDIR: "it is a directory"
    case ENOTDIR: "a part of its path is not a directory"
    case ELOOP: "too many symbolic links"
    case ENAMETOOLONG: "its name is too long"
    case EMFILE, ENFILE: "no descriptor is free"
    case EIO: "the device reports an error"
    default: "error number \(number)"
    }
}
