import Glibc

/// The output of the commands: results on standard output, errors on standard error.
enum Console {
    /// A result.
    static func out(_ text: String) {
        write(text + "\n", to: STDOUT_FILENO)
    }

    /// A finding that has its own form, such as `FILE:LINE:COLUMN: error: …`.
    static func error(_ text: String) {
        write(text + "\n", to: STDERR_FILENO)
    }

    /// `weir: error: …`.
    static func failure(_ text: String) {
        error("weir: error: \(text)")
    }

    private static func write(_ text: String, to descriptor: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return
            }
        }
    }
}
