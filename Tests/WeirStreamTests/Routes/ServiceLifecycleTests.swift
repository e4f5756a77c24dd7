import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct ServiceLifecycleTests {
    @Test func `a route starts once and is closed by its last worker`() async throws {
        let lifecycle = ServiceLifecycle()
        await lifecycle.waitUntilClosed()
        try lifecycle.start()
        #expect(throws: StreamError.alreadyStarted) { try lifecycle.start() }
        #expect(!lifecycle.beginClosing())
        lifecycle.started(workers: 2)
        #expect(lifecycle.beginClosing())
        #expect(!lifecycle.beginClosing())
        #expect(!lifecycle.workerFinished())
        #expect(lifecycle.workerFinished())
        #expect(lifecycle.phase == .closing)
        async let waiting: Void = lifecycle.waitUntilClosed()
        lifecycle.closed()
        await waiting
        await lifecycle.waitUntilClosed()
        #expect(throws: StreamError.alreadyStarted) { try lifecycle.start() }
    }

    @Test func `a start that failed may be tried again`() throws {
        let lifecycle = ServiceLifecycle()
        try lifecycle.start()
        lifecycle.startFailed()
        try lifecycle.start()
        #expect(lifecycle.phase == .starting)
    }
}
