import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct TCPTimerTests {
    private static func settings(idle: Duration? = nil, halfClose: Duration = .seconds(3600)) -> TCPSettings {
        var settings = TCPSettings()
        settings.idleTimeout = idle
        settings.halfCloseTimeout = halfClose
        return settings
    }

    @Test func `silence in both directions ends a connection, and traffic puts that off`() async throws {
        let server = try TCPServer.echo()
        try await withTCP(
            "\(server.endpoint)", settings: Self.settings(idle: .seconds(60)), engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try rig.connectThrough()
            for _ in 0..<5 {
                rig.advance(by: .seconds(50))
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
            #expect(rig.stream.openCount == 1)
            rig.advance(by: .seconds(61))
            try rig.recorder.expect(.closed(.idleTimeout))
            #expect(rig.recorder.events.suffix(2) == [.timedOut(.idle), .closed(.idleTimeout)])
            #expect(client.receive().ending == .reset)
        }
    }

    @Test func `without an idle timeout a connection lives for days`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let client = try rig.connectThrough()
            for _ in 0..<10 { rig.advance(by: .seconds(86_400)) }
            try client.send("?")
            #expect(client.receive(1).text == "?")
            #expect(rig.recorder.events == [.opened, .dialed(upstream: 0)])
        }
    }

    @Test func `a half-closed connection ends when the other direction falls silent`() async throws {
        let isOver = Box(false)
        defer { isOver.set(true) }
        let server = try TCPServer { connection in
            _ = connection.receive()
            try connection.send("a")
            // Nothing more, and no end.
            try waitUntil("the test is over", deadline: .seconds(60)) { isOver.value }
        }
        try await withTCP(
            "\(server.endpoint)", settings: Self.settings(halfClose: .seconds(100)),
            engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.dialed(upstream: 0))
            // Both ends are open: no timer runs.
            rig.advance(by: .seconds(1000))
            try client.shutdownWriting()
            #expect(client.receive(1).text == "a")
            rig.advance(by: .seconds(99))
            rig.turn()
            #expect(rig.recorder.count(.timedOut(.halfClose)) == 0)
            rig.advance(by: .seconds(2))
            try rig.recorder.expect(.closed(.halfCloseTimeout))
            #expect(rig.recorder.events.suffix(2) == [.timedOut(.halfClose), .closed(.halfCloseTimeout)])
            #expect(client.receive().ending == .reset)
        }
    }

    @Test func `the idle timeout still counts where it is shorter than the half-close one`() async throws {
        let gotEnd = Box(false)
        let isOver = Box(false)
        defer { isOver.set(true) }
        let server = try TCPServer { connection in
            gotEnd.set(connection.receive().ending == .endOfStream)
            try waitUntil("the test is over", deadline: .seconds(60)) { isOver.value }
        }
        try await withTCP(
            "\(server.endpoint)", settings: Self.settings(idle: .seconds(10), halfClose: .seconds(100)),
            engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.dialed(upstream: 0))
            try client.shutdownWriting()
            try waitUntil("the end was passed on") { gotEnd.value }
            rig.advance(by: .seconds(11))
            try rig.recorder.expect(.closed(.idleTimeout))
            #expect(rig.recorder.count(.timedOut(.idle)) == 1)
        }
    }

    @Test func `time under a throttle is not silence`() async throws {
        let server = try TCPServer.echo()
        let isThrottling = Box(true)
        let hooks = StreamHooks(onRead: { event in
            event.direction == .ingress && isThrottling.value ? .pause(.seconds(100)) : .forward
        })
        try await withTCP(
            "\(server.endpoint)", settings: Self.settings(idle: .seconds(10)),
            engine: EngineSetup(clock: TestClock()), hooks: hooks
        ) { rig in
            let client = try rig.connectThrough()
            isThrottling.set(false)
            try client.send("more")
            rig.advance(by: .seconds(50))
            rig.turn()
            rig.advance(by: .seconds(40))
            #expect(rig.recorder.count(.timedOut(.idle)) == 0)
            rig.advance(by: .seconds(11))
            #expect(client.receive(4).text == "more")
            rig.advance(by: .seconds(11))
            try rig.recorder.expect(.closed(.idleTimeout))
        }
    }
}
