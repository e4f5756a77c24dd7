import CLinux
import Glibc

/// A file descriptor with one owner. It is closed when its value ends; it cannot be copied, so it cannot be closed
/// twice, and it is always close-on-exec.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number the kernel knows it by. Borrow it for one call; never keep it.
    public let rawValue: CInt

    /// Takes over the ownership of an open descriptor.
    public init(adopting rawValue: CInt) {
        precondition(rawValue >= 0, "not a descriptor")
        self.rawValue = rawValue
    }

    deinit {
        Self.closeNumber(rawValue)
    }

    /// Closes it now (close(2)).
    public consuming func close() {
        let number = rawValue
        discard self
        Self.closeNumber(number)
    }

    /// Gives the number away: the caller closes it.
    public consuming func release() -> CInt {
        let number = rawValue
        discard self
        return number
    }

    private static func closeNumber(_ number: CInt) {
        let result = weir_close(number)
        // EBADF means a double close, which could hit a reused number. Always a bug of this program, so it traps.
        precondition(result != -EBADF, "closed a descriptor that was not open")
    }
}
