import Dispatch
import LinuxIO

/// Runs `body` on so many threads at once and waits for all of them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (_ index: Int) -> Void) throws {
    let begin = DispatchSemaphore(value: 0)
    let done = DispatchGroup()
    for index in 0..<count {
        done.enter()
        try Thread.start {
            begin.wait()
            body(index)
            done.leave()
        }
    }
    for _ in 0..<count { begin.signal() }
    done.wait()
}

let second: UInt64 = 1_000_000_000
