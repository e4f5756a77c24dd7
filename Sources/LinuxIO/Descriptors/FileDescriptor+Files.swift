import CLinux

extension FileDescriptor {
    /// Opens a file to append to, and makes it where there is none (open(2)): readable by its owner and group.
    public init(appendingTo path: String) throws(SystemError) {
        self.init(adopting: try check(unsafe weir_open_append(path), .open))
    }

    /// A copy of a file in memory, which nobody else can change; refused where the file has more than `limit` bytes.
    public init(copyingToMemory path: String, limit: Int) throws(SystemError) {
        self.init(adopting: try check(unsafe weir_copy_to_memory(path, Int64(limit)), .open))
    }

    /// Leads this number to what `other` leads to, in one step (dup3(2)).
    public borrowing func lead(to other: consuming FileDescriptor) throws(SystemError) {
        try check(weir_replace_descriptor(other.rawValue, rawValue), .open)
    }
}
