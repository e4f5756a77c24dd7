import LinuxIO
import TestSupport
import Testing

@testable import WeirProxy

@Suite(.timeLimit(.minutes(1))) struct ProgramRunnerTests {
    private func withRunner(_ body: (ProgramRunner) async throws -> Void) async throws {
        let runner = try ProgramRunner()
        try runner.start()
        do {
            try await body(runner)
        } catch {
            await runner.stop()
            throw error
        }
        await runner.stop()
    }

    private func request(_ command: [String], route: String = "a", concurrency: Int = 4) -> ProgramRequest {
        ProgramRequest(route: route, command: command, environment: ["A=b"], concurrency: concurrency)
    }

    @Test("Each request gets the ending of its own program")
    func endings() async throws {
        try await withRunner { runner in
            await withTaskGroup(of: Void.self) { group in
                for code in 0..<20 {
                    group.addTask {
                        let result = await runner.run(request(["/bin/sh", "-c", "exit \(code)"]))
                        #expect(result == .ended(.exited(code)))
                    }
                }
            }
            #expect(await runner.run(request(["/nowhere/x"])) == .failed(SystemError(.spawn, 2)))
            #expect(await runner.counts == .init(running: 0, waiting: 0))
        }
    }

    @Test("No more run than the bound says, for each route by itself, and the next starts when one is canceled")
    func bound() async throws {
        try await withRunner { runner in
            let tasks = (0..<5).map { _ in Task { await runner.run(request(["sleep", "3600"], concurrency: 2)) } }
            try await waitUntil("two run and three wait") { await runner.counts == .init(running: 2, waiting: 3) }
            // Another route has a concurrency of its own.
            #expect(await runner.run(request(["/bin/true"], route: "b", concurrency: 1)) == .ended(.exited(0)))
            for (index, task) in tasks.enumerated() {
                task.cancel()
                #expect(await task.value == .canceled)
                let left = tasks.count - index - 1
                try await waitUntil("\(left) are left") {
                    await runner.counts == .init(running: min(left, 2), waiting: max(0, left - 2))
                }
            }
        }
    }

    @Test("A request that is canceled before it begins runs nothing for long")
    func canceledAtOnce() async throws {
        try await withRunner { runner in
            for _ in 0..<20 {
                let task = Task { await runner.run(request(["sleep", "3600"])) }
                task.cancel()
                #expect(await task.value == .canceled)
            }
            #expect(await runner.counts == .init(running: 0, waiting: 0))
        }
    }

    @Test("Stopping kills what runs, answers who waits, and refuses who comes later")
    func stop() async throws {
        let runner = try ProgramRunner()
        try runner.start()
        let tasks = (0..<3).map { _ in Task { await runner.run(request(["sleep", "3600"], concurrency: 1)) } }
        try await waitUntil("one runs and two wait") { await runner.counts == .init(running: 1, waiting: 2) }
        await runner.stop()
        for task in tasks { #expect(await task.value == .canceled) }
        #expect(await runner.run(request(["/bin/true"])) == .canceled)
    }
}
