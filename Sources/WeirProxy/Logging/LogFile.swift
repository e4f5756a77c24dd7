import LinuxIO

/// A file that lines are appended to. It can be opened again under its name after it was moved away.
final class LogFile: Sendable {
    /// As it was configured.
    let path: String
    private let descriptor: FileDescriptor

    /// Opens the file, or makes it.
    init(_ path: String) throws(SystemError) {
        self.path = path
        descriptor = try FileDescriptor(appendingTo: path)
    }

    /// The descriptor to write to. The number stays the same when the file is opened again.
    var number: CInt { descriptor.rawValue }

    /// Opens the path again. A write that is under way ends in the old file.
    func reopen() throws(SystemError) {
        try descriptor.replace(with: try FileDescriptor(appendingTo: path))
    }
}
