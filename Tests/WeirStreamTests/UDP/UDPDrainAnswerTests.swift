import TestSupport
import Testing
import WeirStream

/// A drain waits for the answers to young questions, and for nothing else.
@Suite(.timeLimit(.minutes(1))) struct UDPDrainAnswerTests {
    private static let setup = EngineSetup(workers: 2, clock: TestClock())

    @Test(arguments: [nil, 1])
    func `a session whose question is young waits for its answer`(responses: Int?) async throws {
        let upstream = try CollectingUpstream()
        try await withUDP(
            "\(upstream.server.endpoint)", settings: UDPSettings(responses: responses), engine: Self.setup
        ) { rig in
            let client = try UDPSocket()
            for question in [UInt8(1), 2] { try client.send([question], to: rig.endpoint) }
            _ = try upstream.payloads(atLeast: 2)
            try rig.close()
            rig.advance(by: .seconds(4))
            let session = try upstream.session()
            try upstream.server.send([1], to: session)
            #expect(try client.receive().bytes == [1])
            rig.finishTurns()
            #expect(rig.stream.openCount == 1)
            try upstream.server.send([2], to: session)
            #expect(try client.receive().bytes == [2])
            // The last answer ends it: no time has to pass.
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(responses == nil ? .drained : .responses)) == 1)
            #expect(rig.recorder.count(.timedOut(.drain)) == 0)
        }
    }

    @Test func `it waits until its question is five seconds old, and not at all for an older one`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", engine: Self.setup) { rig in
            let old = try UDPSocket()
            try old.send([1], to: rig.endpoint)
            try rig.recorder.expectForwarded(.ingress, 1)
            rig.advance(by: .seconds(6))
            let young = try UDPSocket()
            try young.send([1], to: rig.endpoint)
            try rig.recorder.expectForwarded(.ingress, 2)
            try rig.close()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 1)
            rig.advance(by: .seconds(4))
            rig.finishTurns()
            #expect(rig.stream.openCount == 1)
            rig.advance(by: .seconds(2))
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 2)
            #expect(rig.recorder.count(.timedOut(.drain)) == 0)
        }
    }

    @Test func `an answer that has come, and was not read yet, is forwarded`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            let session = try upstream.session()
            rig.advance(by: .seconds(6))
            let isClosed = Box(false)
            try rig.whileHeld {
                try upstream.server.send([7], to: session)
                Task {
                    await rig.stream.close(drainTimeout: .seconds(30))
                    isClosed.set(true)
                }
            }
            #expect(try client.receive().bytes == [7])
            try waitUntil("the drain has begun") { isClosed.value }
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 1)
        }
    }

    @Test func `a route that was asked a hundred times and never answered holds nothing up`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", engine: Self.setup) { rig in
            // Over both workers.
            let clients = try (0..<20).map { _ in try UDPSocket() }
            for client in clients { for _ in 0..<5 { try client.send([1], to: rig.endpoint) } }
            try rig.recorder.expectForwarded(.ingress, 100)
            try rig.close()
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 20)
        }
    }

    @Test func `one answer ever makes it a route that answers`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", engine: Self.setup) { rig in
            let clients = try (0..<20).map { _ in try UDPSocket() }
            for client in clients { for _ in 0..<5 { try client.send([1], to: rig.endpoint) } }
            try rig.recorder.expectForwarded(.ingress, 100)
            let session = try upstream.session()
            try upstream.server.send([1], to: session)
            try rig.recorder.expectForwarded(.egress, 1)
            try rig.close()
            rig.finishTurns()
            #expect(rig.stream.openCount == 20)
            rig.advance(by: .seconds(6))
            try rig.waitUntilClosed()
        }
    }

    @Test func `a question that waits for its upstream's name is sent, and its answer comes`() async throws {
        let names = HangingResolver(answer: ["127.0.0.1"])
        let server = try UDPServer.echo()
        try await withUDP(
            "upstream.test:\(server.port)", engine: EngineSetup(clock: TestClock(), resolver: names)
        ) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.opened)
            try rig.close()
            names.letGo()
            #expect(try client.receive().bytes == [1])
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 1)
            #expect(rig.recorder.dropped(.ingress) == 0)
        }
    }
}
