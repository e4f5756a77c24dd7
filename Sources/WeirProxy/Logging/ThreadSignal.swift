import Glibc
import LinuxIO

/// Wakes one plain thread. Signalling never blocks, so it is safe on a worker; waiting is bounded by the monotonic
/// clock, which a semaphore's sem_timedwait(3) is not. Signals that come before the wait, however many, are one.
final class ThreadSignal: Sendable {
    private let readEnd: FileDescriptor
    private let writeEnd: FileDescriptor

    init() throws(SystemError) {
        var numbers: [CInt] = [0, 0]
        guard unsafe pipe(&numbers) == 0 else { throw SystemError(.open, errno) }
        readEnd = FileDescriptor(adopting: numbers[0])
        writeEnd = FileDescriptor(adopting: numbers[1])
        for number in numbers {
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            _ = fcntl(number, F_SETFL, O_NONBLOCK)
        }
    }

    /// Lets the waiter go on. A full pipe holds signals enough.
    func signal() {
        var byte: UInt8 = 0
        _ = unsafe write(writeEnd.rawValue, &byte, 1)
    }

    /// Waits for a signal, for at most this long (poll(2)). Returns whether there was one.
    @discardableResult
    func wait(nanoseconds: UInt64) -> Bool {
        var entry = pollfd(fd: readEnd.rawValue, events: Int16(POLLIN), revents: 0)
        let milliseconds = CInt(clamping: (min(nanoseconds, .max - 1_000_000) + 999_999) / 1_000_000)
        guard unsafe poll(&entry, 1, milliseconds) > 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 64)
        while unsafe bytes.withUnsafeMutableBytes({ unsafe read(readEnd.rawValue, $0.baseAddress, $0.count) }) > 0 {}
        return true
    }
}
