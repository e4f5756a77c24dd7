import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirStream

/// Upstreams that the policy of a route no longer keeps.
@Suite(.timeLimit(.minutes(1))) struct DownUpstreamTests {
    private static func answering(_ byte: UInt8) throws -> UDPServer { try UDPServer { _ in [[byte]] } }

    @Test func `a session moves with the next datagram, and its client keeps address and port`() async throws {
        let servers = try [Self.answering(0), Self.answering(1)]
        let account = SelectorAccount()
        try await withUDP(
            "\(servers[0].endpoint)", "\(servers[1].endpoint)", engine: EngineSetup(clock: TestClock()),
            hooks: StreamHooks(makeSelector: account.makeSelector)
        ) { rig in
            let client = try UDPSocket()
            try client.send([9], to: rig.endpoint)
            let first = try client.receive()
            #expect(first.bytes == [0] && first.source == rig.endpoint)
            account.hidden.set([0])
            try client.send([9], to: rig.endpoint)
            let second = try client.receive()
            #expect(second.bytes == [1] && second.source == rig.endpoint)
            #expect(rig.stream.openCount == 1)
        }
    }

    @Test func `the books of both upstreams are right after a move, and the PROXY header comes again`() async throws {
        let headers = Box<[Int]>([])
        let servers = try (0..<2).map { index in
            try UDPServer { datagram in
                headers.update { $0.append(datagram.bytes.count) }
                return [[UInt8(index)]]
            }
        }
        let account = SelectorAccount()
        var settings = UDPSettings()
        settings.relayedHeader = .first
        try await withUDP(
            "\(servers[0].endpoint)", "\(servers[1].endpoint)", settings: settings,
            engine: EngineSetup(clock: TestClock()), hooks: StreamHooks(makeSelector: account.makeSelector)
        ) { rig in
            let client = try UDPSocket()
            for _ in 0..<2 {
                try client.send([9], to: rig.endpoint)
                #expect(try client.receive().bytes == [0])
            }
            account.hidden.set([0])
            for _ in 0..<2 {
                try client.send([9], to: rig.endpoint)
                #expect(try client.receive().bytes == [1])
            }
            #expect(rig.recorder.count(.moved(.upstreamDown)) == 1)
            #expect(rig.recorder.count(.upstreamLeft(upstream: 0)) == 1)
            #expect(rig.recorder.count(.dialed(upstream: 1)) == 1)
            #expect(rig.stream.openCount == 1)
            #expect(account[0] == [.chosen, .connected, .answered, .released])
            #expect(account[1] == [.chosen, .connected, .answered])
            let sizes = headers.value
            #expect(sizes.count == 4 && sizes[0] == sizes[2] && sizes[0] > 1 && sizes[1] == 1 && sizes[3] == 1)
        }
        #expect(account[1] == [.chosen, .connected, .answered, .released])
    }

    @Test func `a session without another upstream stays, and asks again only after a while`() async throws {
        let servers = try [Self.answering(0), Self.answering(1)]
        let account = SelectorAccount()
        try await withUDP(
            "\(servers[0].endpoint)", "\(servers[1].endpoint)", engine: EngineSetup(clock: TestClock()),
            hooks: StreamHooks(makeSelector: account.makeSelector)
        ) { rig in
            let client = try UDPSocket()
            try client.send([9], to: rig.endpoint)
            #expect(try client.receive().bytes == [0])
            account.hidden.set([0, 1])
            for _ in 0..<3 {
                try client.send([9], to: rig.endpoint)
                #expect(try client.receive().bytes == [0])
            }
            #expect(rig.recorder.count(.moved(.upstreamDown)) == 0 && account[1] == [])
            account.hidden.set([0])
            rig.advance(by: .milliseconds(251))
            try client.send([9], to: rig.endpoint)
            #expect(try client.receive().bytes == [1])
            #expect(rig.recorder.count(.moved(.upstreamDown)) == 1)
        }
    }

    @Test func `connections to an upstream that is out are ended, and those to others are not`() async throws {
        let servers = try [TCPServer.echo(), TCPServer.echo()]
        let account = SelectorAccount()
        try await withTCP(
            "\(servers[0].endpoint)", "\(servers[1].endpoint)",
            hooks: StreamHooks(makeSelector: account.makeSelector)
        ) { rig in
            let first = try rig.connectThrough()
            account.hidden.set([0])
            let second = try rig.connectThrough()
            let target = try Upstream("\(servers[0].endpoint)")
            try wait(for: { await rig.stream.endConnections(to: target) })
            #expect(first.receive().ending == .reset)
            try rig.recorder.expect(.closed(.upstreamDown))
            try second.send("!")
            #expect(second.receive(1).text == "!")
            #expect(rig.recorder.count(.closed(.upstreamDown)) == 1 && rig.stream.openCount == 1)
        }
    }

    @Test func `a context counts the dials since its last success, and knows its upstream`() async throws {
        let server = try TCPServer.echo()
        let seen = Box<[Int]>([])
        var hooks = StreamHooks()
        hooks.onRead = { event in
            seen.set([Int(event.context.dialCount), event.context.upstream ?? -1])
            return .forward
        }
        let port = try Ports.free()
        try await withTCP("127.0.0.1:\(port)", "127.0.0.1:\(port)", "\(server.endpoint)", hooks: hooks) { rig in
            try rig.connectThrough().close()
            #expect(seen.value == [3, 2])
        }
    }
}
