import CLinux
import Glibc

/// A pipe through which bytes go from one socket to another without being copied into the process (splice(2)).
/// Confined to one thread.
public final class Pipe {
    private let readEnd: FileDescriptor
    private let writeEnd: FileDescriptor
    /// How many bytes it can hold, at most; pages that are not full make it fewer.
    public let capacity: Int
    /// Bytes in it. A pipe may be reused for another connection only while it is empty.
    public private(set) var count = 0

    /// Opens a pipe of about `capacity` bytes; the system may grant less (pipe(7)).
    public init(capacity: Int) throws(SystemError) {
        var ends: (CInt, CInt) = (-1, -1)
        let granted = try check(unsafe weir_pipe(&ends.0, &ends.1, CInt(clamping: capacity)), .pipe)
        readEnd = FileDescriptor(adopting: ends.0)
        writeEnd = FileDescriptor(adopting: ends.1)
        self.capacity = Int(granted)
    }

    /// Moves at most `limit` bytes from a socket into the pipe, which must be empty: then would-block means that the
    /// socket is empty. A count below `limit` does not: the pages of the pipe can run out first.
    public func fill(from socket: borrowing Socket, limit: Int) -> ReadResult {
        precondition(count == 0, "a pipe with bytes in it")
        let result = weir_splice(socket.number, writeEnd.rawValue, min(limit, capacity))
        if result > 0 {
            count = Int(result)
            return .bytes(count)
        }
        if result == 0 { return .endOfStream }
        return result == -Int64(EAGAIN) ? .wouldBlock : .failed(SystemError(.splice, CInt(-result)))
    }

    /// Moves the bytes in the pipe to a socket, as far as that accepts them.
    public func drain(to socket: borrowing Socket) -> WriteResult {
        let result = weir_splice(readEnd.rawValue, socket.number, count)
        if result >= 0 {
            count -= Int(result)
            return .bytes(Int(result))
        }
        return result == -Int64(EAGAIN) ? .wouldBlock : .failed(SystemError(.splice, CInt(-result)))
    }

    /// Copies bytes out into `buffer`, for a socket that takes none from a pipe. Returns how many.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        let result = unsafe weir_read(readEnd.rawValue, buffer.baseAddress, min(buffer.count, count))
        guard result >= 0 else { throw SystemError(.read, CInt(-result)) }
        count -= Int(result)
        return Int(result)
    }
}
