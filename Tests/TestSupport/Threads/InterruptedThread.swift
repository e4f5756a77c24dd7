import Glibc
import Synchronization

/// Stops a thread at an arbitrary instruction, by a signal whose handler waits. One thread at a time in the whole
/// process.
package enum InterruptedThread {
    private static let number = SIGUSR2
    private static let isStopped = Atomic<Bool>(false)
    /// The pipe that the handler reads from, which is async-signal-safe (signal-safety(7)).
    private static let gate = Pipe()

    private struct Pipe: Sendable {
        let reading: CInt
        let writing: CInt

        init() {
            var ends: [CInt] = [-1, -1]
            let result = pipe(&ends)
            precondition(result == 0, "pipe: errno \(errno)")
            // No child of another test may keep it.
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            (reading, writing) = (ends[0], ends[1])
        }
    }

    /// Lets this thread be stopped. A thread inherits what the one that started it blocks, and
    /// those of a pool block every signal.
    package static func allow() throws {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, number)
        let code = pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        guard code == 0 else { throw SystemFailure("pthread_sigmask", code: code) }
    }

    /// Calls `body` while `thread`, which has allowed it, stands still.
    package static func during<Result>(_ thread: pthread_t, _ body: () throws -> Result) throws -> Result {
        // Made before any handler asks for it.
        let writing = gate.writing
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in InterruptedThread.wait() }
        action.sa_flags = SA_RESTART
        guard sigaction(number, &action, nil) == 0 else { throw SystemFailure("sigaction") }
        let code = pthread_kill(thread, number)
        guard code == 0 else { throw SystemFailure("pthread_kill", code: code) }
        defer {
            isStopped.store(false, ordering: .releasing)
            var byte: UInt8 = 1
            let written = write(writing, &byte, 1)
            precondition(written == 1, "the thread cannot be let go on: errno \(errno)")
        }
        try waitUntil("the thread stands still") { isStopped.load(ordering: .acquiring) }
        return try body()
    }

    /// Runs in the handler, on the stopped thread.
    private static func wait() {
        let saved = errno
        isStopped.store(true, ordering: .releasing)
        var byte: UInt8 = 0
        while read(gate.reading, &byte, 1) == -1 && errno == EINTR {}
        errno = saved
    }
}
