import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct TCPLimitTests {
    @Test(arguments: [1, 3])
    func `a stream's limit is exact over all workers`(workers: Int) async throws {
        let server = try TCPServer.echo()
        var settings = TCPSettings()
        settings.maxConnections = 20
        try await withTCP("\(server.endpoint)", settings: settings, engine: EngineSetup(workers: workers)) { rig in
            let clients = try (0..<60).map { _ in try rig.connect() }
            try rig.recorder.expect(.opened, times: 60)
            try rig.recorder.expect(.rejected(.routeLimit), times: 40)
            try rig.recorder.expect(.dialed(upstream: 0), times: 20)
            #expect(rig.stream.openCount == 20)
            #expect(rig.recorder.count(.rejected(.routeLimit)) == 40)
            // A slot that was given back is taken again.
            for client in clients { client.close() }
            try waitUntil("all are gone") { rig.stream.openCount == 0 }
            _ = try rig.connectThrough()
        }
    }

    @Test func `at the limit of the process clients wait in the kernel until a descriptor is free`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(maxConnections: 2)) { rig in
            #expect(rig.engine.connectionLimit == 2)
            let first = try rig.connectThrough()
            let second = try rig.connectThrough()
            let third = try rig.connect()
            try third.send("?")
            try rig.recorder.expect(.acceptPaused)
            #expect(rig.recorder.count(.opened) == 2)
            #expect(rig.engine.openConnections == 2)
            first.close()
            #expect(third.receive(1).text == "?")
            #expect(rig.recorder.count(.opened) == 3)
            second.close()
            third.close()
            try rig.recorder.expect(.closed(.clientEOF), times: 3)
        }
    }

    @Test func `connections spread evenly over the workers`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 4)) { rig in
            // One after the other, so that each placement sees the one before.
            let clients = try (0..<40).map { _ in try rig.connectThrough() }
            let counts = rig.recorder.seen.workers.values.sorted()
            try #require(counts.count == 4)
            // A worker keeps what it accepted while it has at most an eighth more than the emptiest one.
            #expect(counts[3] <= counts[0] + counts[0] / 8 + 1)
            #expect(rig.engine.openConnections == 40)
            for client in clients { client.close() }
            try rig.recorder.expect(.closed(.clientEOF), times: 40)
            #expect(rig.engine.openConnections == 0)
        }
    }

    @Test func `a stream with one socket spreads its connections also while they come and go quickly`() async throws {
        let server = try TCPServer.echo()
        let setup = EngineSetup(workers: 2, clock: TestClock())
        let acquireListeners: @Sendable (StreamEngine) -> Void = { engine in
            while engine.budget.acquireListeners(wanted: 2) == 2 {}
        }
        try await withTCP("\(server.endpoint)", engine: setup, prepare: acquireListeners) { rig in
            for _ in 0..<50 { try rig.connectThrough().close() }
            try rig.recorder.expect(.closed(.clientEOF), times: 50)
            rig.advance(by: .milliseconds(1_100))
            let before = rig.recorder.seen.workers
            let clients = try (0..<20).map { _ in try rig.connectThrough() }
            let carried = rig.recorder.seen.workers.map { $0.value - before[$0.key, default: 0] }
            #expect(carried.count == 2 && carried.allSatisfy { $0 >= 8 })
            for client in clients { client.close() }
        }
    }

    @Test func `a thousand connections leave nothing behind`() async throws {
        let server = try TCPServer.echo()
        // Not a port of the kernel's choice: those may also be some other connection's.
        let listen = "tcp://127.0.0.1:\(try Ports.free())"
        try await withTCP("\(server.endpoint)", listen: listen, engine: EngineSetup(workers: 2)) { rig in
            let ports = [rig.endpoint.port, server.port]
            for round in 0..<20 {
                let clients = try (0..<50).map { _ in try rig.connectThrough() }
                #expect(rig.stream.openCount == 50)
                for (number, client) in clients.enumerated() {
                    if number % 5 == round % 5 { try client.reset() } else { client.close() }
                }
                try waitUntil("round \(round) is over") { rig.stream.openCount == 0 }
            }
            try waitUntil("no socket is left") { try OpenSockets.connected(to: ports) == 0 }
            #expect(rig.engine.openConnections == 0)
            #expect(rig.recorder.count(.opened) == 1000)
            #expect(rig.recorder.count(.closed(.clientEOF)) == 800)
            #expect(rig.recorder.count(.closed(.clientReset)) == 200)
        }
    }
}
