import CLinux

extension FileDescriptor {
    /// Opens a file to append to, and creates it with mode 0640 if it is missing (open(2)).
    public init(appendingTo path: String) throws(SystemError) {
        self.init(adopting: try check(unsafe weir_open_append(path), .open))
    }

    /// Whether a regular file has a last line without an end (`\n`). False where it cannot be read.
    public static func endsAmidLine(path: String) -> Bool {
        unsafe weir_ends_amid_line(path) == 1
    }

    /// Whether both are of the same file: device and inode are equal (fstat(2)).
    public borrowing func isSameFile(as other: borrowing FileDescriptor) -> Bool {
        weir_is_same_file(rawValue, other.rawValue) == 1
    }

    /// Copies a file into memory of this process, so that later writes to the file do not change it. Throws EFBIG if
    /// the file has more than `limit` bytes.
    public init(copyingToMemory path: String, limit: Int) throws(SystemError) {
        self.init(adopting: try check(unsafe weir_copy_to_memory(path, Int64(limit)), .open))
    }

    /// A file in memory with these bytes, for a reader that wants a path: `/proc/self/fd/` and its number.
    public init(inMemory bytes: [UInt8]) throws(SystemError) {
        let number = unsafe bytes.withUnsafeBytes { unsafe weir_memory_file($0.baseAddress, $0.count) }
        self.init(adopting: try check(number, .open))
    }

    /// Atomically makes this descriptor a duplicate of `other` (dup3(2)), which is closed.
    public borrowing func replace(with other: consuming FileDescriptor) throws(SystemError) {
        try check(weir_replace_descriptor(other.rawValue, rawValue), .open)
    }
}
