import LinuxIO

/// A file that lines are appended to, and that can be opened again under its name after somebody has moved it away.
final class LogFile: Sendable {
    /// As it was configured.
    let path: String
    private let descriptor: FileDescriptor

    /// Opens the file, or makes it.
    init(_ path: String) throws(SystemError) {
        self.path = path
        descriptor = try FileDescriptor(appendingTo: path)
    }

    /// The number to write to. It stays the same, whatever file it leads to.
    var number: CInt { descriptor.rawValue }

    /// Opens the path again. A write that is under way ends in the old file.
    func reopen() throws(SystemError) {
        try descriptor.replace(with: try FileDescriptor(appendingTo: path))
    }
}
