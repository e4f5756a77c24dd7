import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct TCPDrainTests {
    private typealias Client = TestConnection

    @Test func `closing refuses new clients and lets the old ones finish`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            let old = try (0..<4).map { _ in try rig.connectThrough() }
            try rig.close()
            #expect(throws: SystemFailure.self) { try rig.connect() }
            for client in old {
                try client.send("still")
                #expect(client.receive(5).text == "still")
                try client.shutdownWriting()
                #expect(client.receive().isWhole([]))
            }
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.closed(.clientEOF)) == 4)
            #expect(rig.stream.openCount == 0)
        }
    }

    @Test func `clients that wait in the listener's queue are taken before it closes`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)") { rig in
            let done = Box(false)
            let clients = try rig.whileHeld {
                let clients = try (0..<30).map { _ in try rig.connect() }
                try inBackground {
                    try rig.close()
                    done.set(true)
                }
                return clients
            }
            try waitUntil("the stream no longer accepts") { done.value }
            for client in clients {
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
        }
    }

    @Test func `what outlives the drain time ends as drained`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let client = try rig.connectThrough()
            try rig.close(drainTimeout: .seconds(30))
            rig.advance(by: .seconds(29))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            rig.advance(by: .seconds(2))
            try rig.waitUntilClosed()
            #expect(rig.recorder.events.suffix(2) == [.timedOut(.drain), .closed(.drained)])
            #expect(client.receive().ending == .reset)
        }
    }

    @Test(arguments: [[30, 5], [5, 30]])
    func `of two closes the shorter drain time counts`(seconds: [Int]) async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2, clock: TestClock())) { rig in
            let client = try rig.connectThrough()
            for time in seconds { try rig.close(drainTimeout: .seconds(time)) }
            rig.advance(by: .seconds(4))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            rig.advance(by: .seconds(2))
            try rig.waitUntilClosed()
            #expect(rig.recorder.events.suffix(2) == [.timedOut(.drain), .closed(.drained)])
            #expect(client.receive().ending == .reset)
        }
    }

    @Test func `killing ends everything at once, and calls it that`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            let clients = try (0..<6).map { _ in try rig.connectThrough() }
            try rig.kill()
            try rig.waitUntilClosed()
            for client in clients { #expect(client.receive().ending == .reset) }
            #expect(rig.recorder.count(.closed(.killed)) == 6)
            #expect(rig.recorder.count(.timedOut(.drain)) == 0)
            #expect(rig.stream.openCount == 0)
        }
    }

    @Test func `a kill ends what a drain was waiting for`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            let client = try rig.connectThrough()
            try rig.close()
            #expect(rig.recorder.events == [.opened, .dialed(upstream: 0)])
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(client.receive().ending == .reset)
            #expect(rig.recorder.count(.closed(.killed)) == 1)
        }
    }

    @Test func `a worker that has nothing left waits for what others may still hand over`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2, clock: TestClock())) { rig in
            // One connection on each worker, so that worker 0 is the emptier one once its own has ended.
            let clients = try (0..<2).map { _ in try rig.connectThrough() }
            // The only listener of its engine has the first number.
            try wait { await rig.engine.workers[0].stopAccepting([1]) }
            for client in clients { client.close() }
            try rig.recorder.expect(.closed(.clientEOF), times: 2)
            // Worker 1 still accepts; what it gives to worker 0 must be waited for.
            let late = try (0..<4).map { _ in try rig.connectThrough() }
            try #require(rig.recorder.seen.workers == [0: 3, 1: 3])
            try rig.close(drainTimeout: .seconds(30))
            rig.advance(by: .seconds(31))
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.closed(.drained)) == 4)
            #expect(rig.stream.openCount == 0)
            for client in late { #expect(client.receive().ending == .reset) }
        }
    }

    @Test func `an update points only new connections elsewhere`() async throws {
        let servers = try ["a", "b"].map { name in
            try TCPServer { connection in
                while !connection.receive(1).bytes.isEmpty { try connection.send(name) }
            }
        }
        try await withTCP("\(servers[0].endpoint)", engine: EngineSetup(workers: 2)) { rig in
            func ask(_ client: Client) throws -> String {
                try client.send("?")
                return client.receive(1).text
            }
            let old = try rig.connect()
            #expect(try ask(old) == "a")
            let second = try Upstream("\(servers[1].endpoint)")
            try wait {
                try await rig.stream.update(
                    name: "renamed", upstreams: [second], settings: TCPSettings(),
                    hooks: StreamHooks(observer: rig.recorder))
            }
            let new = try rig.connect()
            #expect(try ask(new) == "b")
            #expect(try ask(old) == "a")
            // A plan that would dial ourselves leaves everything as it is.
            let own = try Upstream("\(rig.endpoint)")
            #expect(throws: StreamError.self) {
                try wait {
                    try await rig.stream.update(
                        name: "loop", upstreams: [own], settings: TCPSettings(), hooks: StreamHooks())
                }
            }
            #expect(try ask(rig.connect()) == "b")
        }
    }
}
