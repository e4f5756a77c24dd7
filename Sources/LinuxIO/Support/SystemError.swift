import Glibc

/// A system call that failed: which one, and the `errno` it left (errno(3)).
public struct SystemError: Error, Equatable, Hashable, Sendable, CustomStringConvertible {
    /// The calls of this module, by the name of their man page.
    public enum Operation: String, Sendable {
        case accept, bind, close, connect, dial, epollCreate = "epoll_create", epollControl = "epoll_ctl"
        case epollWait = "epoll_wait", eventFD = "eventfd", inotify, listen, open, pipe, read, receive = "recv"
        case resourceLimit = "setrlimit", send, shutdown, socket, splice, socketName = "getsockname"
        case socketOption = "setsockopt", write, thread = "pthread_create", interfaces = "getifaddrs"
        case interfaceIndex = "if_nametoindex"
        case spawn = "posix_spawn", lock = "flock", look = "lstat", unlink, rename, changeMode = "chmod"
    }

    /// The call that failed.
    public let operation: Operation
    /// The positive `errno`.
    public let code: CInt

    /// Describes a failed call.
    public init(_ operation: Operation, _ code: CInt) {
        self.operation = operation
        self.code = code
    }

    /// `connect: Connection refused (111)`.
    public var description: String {
        var buffer = [CChar](repeating: 0, count: 128)
        let text = unsafe buffer.withUnsafeMutableBufferPointer { raw -> String in
            guard let base = raw.baseAddress, unsafe strerror_r(code, base, raw.count) == 0 else { return "error" }
            return unsafe String(cString: base)
        }
        return "\(operation.rawValue): \(text) (\(code))"
    }
}

/// Turns the shims' negated errno into a thrown error.
@inline(__always)
@discardableResult
func check(_ result: CInt, _ operation: SystemError.Operation) throws(SystemError) -> CInt {
    if result < 0 { throw SystemError(operation, -result) }
    return result
}
