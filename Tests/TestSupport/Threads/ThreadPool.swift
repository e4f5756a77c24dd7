import Foundation

/// Threads that wait for the next thing to do when they are done with one: as many as were busy at once. For what is
/// done thousands of times, because the thread sanitizer keeps memory of every thread that ever was. What runs here
/// must not depend on where its thread was started, as sockets of a network namespace do.
enum ThreadPool {
    /// A thread without work.
    private final class Idle: Sendable {
        private let work = Shared<(@Sendable () -> Void)?>(nil)
        private let isThere = TestSemaphore()

        func assign(_ body: @escaping @Sendable () -> Void) {
            work.withLock { $0 = body }
            isThere.signal()
        }

        func nextWork() -> @Sendable () -> Void {
            isThere.wait()
            let given = work.withLock { work in
                defer { work = nil }
                return work
            }
            guard let given else { preconditionFailure("given before the signal") }
            return given
        }
    }

    private static let idle = Shared<[Idle]>([])

    /// Runs `body` on a thread of the pool.
    static func run(_ body: @escaping @Sendable () -> Void) {
        if let waiting = idle.withLock({ $0.popLast() }) {
            waiting.assign(body)
            return
        }
        let own = Idle()
        own.assign(body)
        TCPServer.start {
            while true {
                // Nothing keeps what is done: it may hold a connection open.
                own.nextWork()()
                idle.withLock { $0.append(own) }
            }
        }
    }
}
