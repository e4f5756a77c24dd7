import LinuxIO
import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPSessionTests {
    private static func settings(maxSessions: Int = 16_384) -> UDPSettings {
        var settings = UDPSettings()
        settings.maxSessions = maxSessions
        return settings
    }

    /// One question and its answer; `twice` makes the session assured.
    private static func ask(_ client: UDPSocket, _ endpoint: Endpoint, twice: Bool = false) throws {
        for _ in 0..<(twice ? 2 : 1) {
            try client.send([1], to: endpoint)
            _ = try client.receive()
        }
    }

    @Test func `a session that was answered once ends after half a minute of silence`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            try Self.ask(UDPSocket(), rig.endpoint)
            rig.advance(by: .seconds(29))
            rig.finishTurns()
            #expect(rig.stream.openCount == 1)
            rig.advance(by: .seconds(2))
            try rig.recorder.expect(.sessionClosed(.idle))
            #expect(rig.stream.openCount == 0)
            // The normal end of a session is no timeout.
            #expect(rig.recorder.count(.timedOut(.idle)) == 0)
        }
    }

    @Test func `a session whose client spoke again after a reply lives for five minutes of silence`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let client = try UDPSocket()
            try Self.ask(client, rig.endpoint, twice: true)
            for _ in 0..<4 {
                rig.advance(by: .seconds(290))
                try Self.ask(client, rig.endpoint)
            }
            #expect(rig.recorder.count(.opened) == 1)
            rig.advance(by: .seconds(299))
            rig.finishTurns()
            #expect(rig.stream.openCount == 1)
            rig.advance(by: .seconds(2))
            try rig.recorder.expect(.sessionClosed(.idle))
        }
    }

    @Test func `a client that only ever speaks stays unassured, and its datagrams keep the session`() async throws {
        let server = try UDPServer { _ in [] }
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let client = try UDPSocket()
            for round in 1...5 {
                try client.send([1], to: rig.endpoint)
                try waitUntil("datagram \(round) is forwarded") { rig.recorder.forwarded(.ingress) == round }
                rig.advance(by: .seconds(20))
            }
            #expect(rig.recorder.count(.opened) == 1)
            rig.advance(by: .seconds(31))
            try rig.recorder.expect(.sessionClosed(.idle))
            #expect(rig.recorder.totals.map(\.egressDatagrams) == [0])
        }
    }

    @Test func `a full table makes room by its oldest unassured session`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", settings: Self.settings(maxSessions: 3)) { rig in
            let assured = try UDPSocket()
            try Self.ask(assured, rig.endpoint, twice: true)
            let clients = try (0..<5).map { _ in try UDPSocket() }
            for client in clients { try Self.ask(client, rig.endpoint) }
            // Two unassured ones fit beside the assured one: the first three were evicted, in their order.
            #expect(rig.recorder.count(.sessionClosed(.evicted)) == 3)
            #expect(rig.stream.openCount == 3)
            try Self.ask(assured, rig.endpoint)
            try Self.ask(clients[3], rig.endpoint)
            try Self.ask(clients[4], rig.endpoint)
            #expect(rig.recorder.count(.opened) == 6)
            // Now all three are assured: a newcomer finds no room, and is dropped.
            let late = try UDPSocket()
            try late.send([1], to: rig.endpoint)
            try rig.recorder.expect(.rejected(.sessionLimit))
            #expect(rig.recorder.dropped(.ingress, .sessionLimit) == 1)
            #expect(rig.stream.openCount == 3)
            try Self.ask(assured, rig.endpoint)
            #expect(rig.recorder.count(.sessionClosed(.evicted)) == 3)
        }
    }

    @Test func `a flood of sources stays within the table while an assured session lives on`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", settings: Self.settings(maxSessions: 50)) { rig in
            let assured = try UDPSocket()
            try Self.ask(assured, rig.endpoint, twice: true)
            // All stay open, so that no port comes twice.
            let clients = try (0..<500).map { _ in try UDPSocket() }
            for client in clients {
                try Self.ask(client, rig.endpoint)
                #expect(rig.stream.openCount <= 50)
            }
            try Self.ask(assured, rig.endpoint)
            #expect(rig.recorder.count(.opened) == 501)
            #expect(rig.recorder.count(.sessionClosed(.evicted)) == 451)
        }
    }
}
