import LinuxIO
import Synchronization

/// A file that lines are appended to. It can be opened again under its name after it was moved away.
final class LogFile: Sendable {
    /// As it was configured.
    let path: String
    private let descriptor: FileDescriptor
    /// The raw ``Start`` of the file that was opened last, until the writer has taken note of it.
    private let replacement = Atomic<UInt8>(0)

    /// How the content of a file that was opened ends.
    enum Start: UInt8 {
        /// With a whole line, or there is none.
        case afterLine = 1
        /// With a part of a line: another process was stopped, or its disk was full.
        case amidLine
    }

    /// Opens the file, or makes it.
    init(_ path: String) throws(SystemError) {
        self.path = path
        descriptor = try FileDescriptor(appendingTo: path)
        noteReplacement()
    }

    /// The descriptor to write to. The number stays the same when the file is opened again.
    var number: CInt { descriptor.rawValue }

    /// Opens the path again, unless it is still the same file. A write that is under way ends in the old file.
    func reopen() throws(SystemError) {
        let new = try FileDescriptor(appendingTo: path)
        if descriptor.isSameFile(as: new) { return }
        try descriptor.replace(with: new)
        noteReplacement()
    }

    /// Returns how the file began that was opened since the last call; nil where it is still the same.
    func takeReplacement() -> Start? {
        Start(rawValue: replacement.exchange(0, ordering: .relaxed))
    }

    private func noteReplacement() {
        let start: Start = FileDescriptor.endsAmidLine(path: path) ? .amidLine : .afterLine
        replacement.store(start.rawValue, ordering: .relaxed)
    }
}
