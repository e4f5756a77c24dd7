import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPDrainTests {
    private static func ask(_ client: UDPSocket, _ endpoint: Endpoint, times: Int = 1) throws {
        for _ in 0..<times {
            try client.send([1], to: endpoint)
            _ = try client.receive()
        }
    }

    @Test func `draining ends unassured sessions, keeps assured ones until they fall silent, and drops the rest`()
        async throws
    {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let assured = try UDPSocket()
            try Self.ask(assured, rig.endpoint, times: 2)
            try Self.ask(UDPSocket(), rig.endpoint)
            try rig.close()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 1)
            #expect(rig.stream.openCount == 1)
            try UDPSocket().send([1], to: rig.endpoint)
            try rig.recorder.expect(.rejected(.draining))
            #expect(rig.recorder.dropped(.ingress, .draining) == 1)
            for _ in 0..<4 {
                rig.advance(by: .seconds(4))
                try Self.ask(assured, rig.endpoint)
            }
            #expect(rig.stream.openCount == 1)
            rig.advance(by: .seconds(6))
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 2)
            #expect(rig.recorder.count(.timedOut(.drain)) == 0)
        }
    }

    @Test func `a session that goes on talking ends when the drain time is over`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let client = try UDPSocket()
            try Self.ask(client, rig.endpoint, times: 2)
            try rig.close(drainTimeout: .seconds(10))
            for _ in 0..<3 {
                rig.advance(by: .seconds(3))
                try Self.ask(client, rig.endpoint)
            }
            rig.advance(by: .seconds(2))
            try rig.waitUntilClosed()
            #expect(rig.recorder.events.suffix(2) == [.timedOut(.drain), .sessionClosed(.drained)])
        }
    }

    @Test func `killing ends every session as its route's removal`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            try Self.ask(UDPSocket(), rig.endpoint)
            try Self.ask(UDPSocket(), rig.endpoint, times: 2)
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(.routeRemoved)) == 2)
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 0)
            // The port is free again.
            _ = try UDPSocket(bindingTo: rig.endpoint)
        }
    }

    @Test func `an update points only new sessions elsewhere`() async throws {
        let servers = try [UInt8(1), 2].map { name in try UDPServer { _ in [[name]] } }
        try await withUDP("\(servers[0].endpoint)", engine: EngineSetup(workers: 2)) { rig in
            func ask(_ client: UDPSocket) throws -> [UInt8] {
                try client.send([0], to: rig.endpoint)
                return try client.receive().bytes
            }
            let old = try UDPSocket()
            #expect(try ask(old) == [1])
            let second = try Upstream("\(servers[1].endpoint)")
            try wait {
                try await rig.stream.update(
                    name: "renamed", upstreams: [second], settings: UDPSettings(),
                    hooks: StreamHooks(observer: rig.recorder))
            }
            #expect(try ask(UDPSocket()) == [2])
            #expect(try ask(old) == [1])
        }
    }
}
