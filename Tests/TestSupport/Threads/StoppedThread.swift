import Foundation

/// One thread of a child that is held where it is while the others go on, as a thread that never comes back would be
/// (ptrace(2)). It goes on when this value is let go of. All of it happens on one thread: a tracer is a thread.
package final class StoppedThread {
    private typealias Trace = @convention(c) (Int32, pid_t, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Int

    // Requests of <sys/ptrace.h>, which is not among what Swift sees of glibc.
    private static let seize: Int32 = 0x4206
    private static let interrupt: Int32 = 0x4207
    private static let detach: Int32 = 17
    /// Waits for threads as for processes (`__WALL`).
    private static let all: Int32 = 0x4000_0000

    private let threadID: pid_t
    private var isStopped = false

    /// Stops the thread of that name.
    package init(_ name: String, of process: ChildProcess) throws {
        let folder = "/proc/\(process.processID)/task"
        let found = try FileManager.default.contentsOfDirectory(atPath: folder).first {
            contents(of: "\(folder)/\($0)/comm") == name + "\n"
        }
        guard let found, let number = pid_t(found) else { throw SystemFailure("no thread \(name)", code: ESRCH) }
        threadID = number
        try Self.request(Self.seize, number)
        try Self.request(Self.interrupt, number)
        var status: Int32 = 0
        guard waitpid(number, &status, Self.all) == number else { throw SystemFailure("waitpid") }
        isStopped = true
    }

    deinit { try? resume() }

    /// Lets it go on.
    package func resume() throws {
        guard isStopped else { return }
        isStopped = false
        try Self.request(Self.detach, threadID)
    }

    private static func request(_ request: Int32, _ thread: pid_t) throws {
        guard let symbol = dlsym(nil, "ptrace") else { throw SystemFailure("ptrace", code: ENOSYS) }
        guard unsafeBitCast(symbol, to: Trace.self)(request, thread, nil, nil) == 0 else {
            throw SystemFailure("ptrace(\(request))")
        }
    }
}
