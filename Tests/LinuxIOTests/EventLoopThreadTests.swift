import Glibc
import LinuxIO
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventLoopThreadTests {
    /// An actor on a loop's thread that counts its turns and jobs.
    private actor Driver: EventLoopDriver {
        nonisolated let thread: EventLoopThread
        nonisolated let turns = Atomic<Int>(0)
        private let loop: EventLoop
        private var isInTurn = false
        private var jobs = 0

        nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

        init() throws {
            thread = try EventLoopThread(name: "test-driver")
            loop = try EventLoop(wokenBy: thread)
        }

        func turn(mayWait: Bool) {
            isInTurn = true
            loop.turn(mayWait: mayWait)
            isInTurn = false
            turns.add(1, ordering: .relaxed)
        }

        /// Counts the call; false where it came in the middle of a turn.
        func job() -> Bool {
            jobs += 1
            return !isInTurn
        }

        var jobCount: Int { jobs }

        /// Leaves the actor and comes back.
        func suspendOnce() async -> Bool {
            await Task.yield()
            return !isInTurn
        }
    }

    @Test func `jobs from outside run between the turns, and none is lost`() async throws {
        let driver = try Driver()
        try driver.thread.start(driving: driver)
        let wrong = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    var wrong = 0
                    for _ in 0..<200 {
                        if await driver.job() == false { wrong += 1 }
                        if await driver.suspendOnce() == false { wrong += 1 }
                    }
                    return wrong
                }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
        #expect(await driver.jobCount == 4_000)
        driver.thread.stop()
    }

    @Test func `wake makes an idle loop turn, from any thread`() async throws {
        let driver = try Driver()
        try driver.thread.start(driving: driver)
        _ = await driver.job()
        let turns = driver.turns.load(ordering: .relaxed)
        // An idle loop turns once a second by itself; thirty turns within the deadline come from waking it.
        try waitUntil("the loop has turned thirty times") {
            driver.thread.wake()
            return driver.turns.load(ordering: .relaxed) >= turns + 30
        }
        driver.thread.stop()
    }

    @Test func `a caller that awaits a stopped thread still gets an answer`() async throws {
        let driver = try Driver()
        try driver.thread.start(driving: driver)
        async let early = driver.job()
        driver.thread.stop()
        #expect(await early)
        let answers = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 { group.addTask { await driver.job() } }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(answers == 50)
        #expect(await driver.jobCount == 51)
    }

    @Test func `a thread that is stopped closes what its driver has open, once`() async throws {
        let driver = try Driver()
        let closings = Atomic<Int>(0)
        // Not started yet: there is nothing to close.
        let idle = try Driver()
        await idle.thread.stop { closings.add(1, ordering: .relaxed) }
        #expect(closings.load(ordering: .relaxed) == 0)

        try driver.thread.start(driving: driver)
        await driver.thread.stop {
            closings.add(1, ordering: .relaxed)
            _ = await driver.job()
        }
        await driver.thread.stop { closings.add(1, ordering: .relaxed) }
        driver.thread.stop()
        #expect(closings.load(ordering: .relaxed) == 1)
        #expect(await driver.jobCount == 1)
    }

    @Test func `a thread is started once, also after it was stopped`() async throws {
        let driver = try Driver()
        #expect(try driver.thread.start(driving: driver))
        #expect(try !driver.thread.start(driving: driver))
        #expect(await driver.job())
        driver.thread.stop()
        #expect(try !driver.thread.start(driving: driver))
        let idle = try Driver()
        idle.thread.stop()
        #expect(try !idle.thread.start(driving: idle))
    }

    @Test func `of threads that belong together all start or none`() async throws {
        let drivers = [try Driver(), try Driver(), try Driver()]
        #expect(throws: SystemError(.thread, EAGAIN)) {
            try EventLoopThread.startAll(drivers.map(\.thread)) { index throws(SystemError) in
                if index == 2 { throw SystemError(.thread, EAGAIN) }
                try drivers[index].thread.start(driving: drivers[index])
            }
        }
        for driver in drivers.dropLast() {
            // Stopped already, so this finds nothing to close.
            await driver.thread.stop { Issue.record("a thread still runs") }
        }
    }
}
