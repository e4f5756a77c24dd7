import CLinux

/// Small files of the system, as in /proc, /sys and /etc. Reading them blocks: never on an event loop.
enum SystemFile {
    /// The first `limit` bytes of a file; nil where it cannot be read.
    static func bytes(of path: String, limit: Int) -> ArraySlice<UInt8>? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe weir_read_file(path, &bytes, bytes.count)
        return count < 0 ? nil : bytes.prefix(Int(count))
    }

    /// The same as text.
    static func text(of path: String, limit: Int) -> String? {
        bytes(of: path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }
}
