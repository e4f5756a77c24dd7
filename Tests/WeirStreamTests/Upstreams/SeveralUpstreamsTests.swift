import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirStream

/// Routes with three upstreams of which the first is of no use.
@Suite(.timeLimit(.minutes(1))) struct SeveralUpstreamsTests {
    private static func dials(_ rig: Rig<some Stream>) -> [Recorder.Event] {
        rig.recorder.events.filter {
            switch $0 {
            case .dialed, .dialFailed, .upstreamLeft, .upstreamFailed, .timedOut: true
            default: false
            }
        }
    }

    // MARK: TCP

    @Test func `behind a silent upstream the next one is dialed after a third of the time`() async throws {
        let silent = try UnansweringServer()
        let server = try TCPServer.echo()
        var settings = TCPSettings()
        settings.dialTimeout = .seconds(6)
        try await withTCP(
            "\(silent.endpoint)", "\(server.endpoint)", "127.0.0.1:1", settings: settings,
            engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            rig.finishTurns()
            rig.advance(by: .milliseconds(1_990))
            rig.finishTurns()
            #expect(rig.recorder.events == [.opened])
            rig.advance(by: .milliseconds(10))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            #expect(
                Self.dials(rig) == [.timedOut(.dial), .dialFailed(upstream: 0, .timeout), .dialed(upstream: 1)])
            #expect(try OpenSockets.connected(to: [server.port]) > 0)
        }
    }

    @Test func `with three silent upstreams each is dialed once, and the client is reset when the time is over`()
        async throws
    {
        let silent = try (0..<3).map { _ in try UnansweringServer() }
        try await withTCP(
            "\(silent[0].endpoint)", "\(silent[1].endpoint)", "\(silent[2].endpoint)",
            engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            for index in 0..<3 {
                rig.finishTurns()
                rig.advance(by: .milliseconds(1_667))
                try rig.recorder.expect(.dialFailed(upstream: index, .timeout))
            }
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.closed(.dialFailed))
            #expect(
                rig.recorder.events
                    == [.opened] + (0..<3).flatMap { [.timedOut(.dial), .dialFailed(upstream: $0, .timeout)] }
                    + [.closed(.dialFailed)])
            #expect(rig.recorder.totals.map(\.upstream) == [nil])
        }
    }

    @Test func `behind an upstream that refuses, or that has no address, the next one is dialed at once`() async throws
    {
        let server = try TCPServer.echo()
        for (first, reason) in [
            ("127.0.0.1:\(try Ports.free())", DialFailure.refused), ("nowhere.example:80", .dnsNotFound),
        ] {
            let setup = EngineSetup(clock: TestClock(), resolver: TableResolver([:]))
            try await withTCP(first, "\(server.endpoint)", "127.0.0.1:1", engine: setup) { rig in
                if reason == .dnsNotFound { try rig.recorder.expect(.resolved(upstream: 0, .dnsNotFound)) }
                // No time passes on the engine's clock.
                try rig.connectThrough().close()
                #expect(Self.dials(rig) == [.dialFailed(upstream: 0, reason), .dialed(upstream: 1)])
                try rig.recorder.expect(.closed(.clientEOF))
                #expect(rig.recorder.totals.map(\.upstream) == [1])
            }
        }
    }

    @Test func `a name that is not answered in its time is dns_timeout, and the next upstream is dialed`() async throws
    {
        let server = try TCPServer.echo()
        let resolver = HangingResolver()
        defer { resolver.letGo() }
        let setup = EngineSetup(clock: TestClock(), resolver: resolver)
        try await withTCP("slow.example:80", "\(server.endpoint)", "127.0.0.1:1", engine: setup) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            rig.finishTurns()
            rig.advance(by: .milliseconds(1_667))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            #expect(Self.dials(rig) == [.timedOut(.dial), .dialFailed(upstream: 0, .dnsTimeout), .dialed(upstream: 1)])
        }
    }

    @Test func `an upstream that resets while it is connected to has failed, and the next one is dialed`() async throws
    {
        let (isResetting, resets, admitted) = (Box(false), Box(0), Box(0))
        let first = try TCPServer { connection in
            guard isResetting.value else {
                try connection.send("!")
                _ = connection.receive()
                return
            }
            try connection.reset()
            resets.add(1)
        }
        let second = try TCPServer.echo()
        let hooks = StreamHooks(admit: { _ in
            guard isResetting.value, admitted.add(1) == 2 else { return .accept }
            // Both were accepted in one turn. The dial of the first is under way; its end is seen in the next turn.
            try? waitUntil("the upstream has reset it") { resets.value == 1 }
            return .reject(.acl)
        })
        try await withTCP("\(first.endpoint)", "\(second.endpoint)", "127.0.0.1:1", hooks: hooks) { rig in
            // Three that come together: the listener expects several from now on.
            let early = try rig.whileHeld { try (0..<3).map { _ in try rig.connect() } }
            for client in early { #expect(client.receive(1).text == "!") }
            isResetting.set(true)
            let (client, other) = try rig.whileHeld { (try rig.connect(), try rig.connect()) }
            try client.send("?")
            #expect(client.receive(1).text == "?", "\(rig.recorder.events)")
            #expect(other.receive().ending == .reset)
            #expect(rig.recorder.count(.dialFailed(upstream: 0, .reset)) == 1)
            #expect(rig.recorder.count(.dialed(upstream: 1)) == 1)
            #expect(rig.recorder.count(.dialed(upstream: 0)) == early.count)
        }
    }

    // MARK: Ending meanwhile

    @Test func `a client that goes while its upstream is dialed, or its name looked up, leaves nothing behind`()
        async throws
    {
        let silent = try UnansweringServer()
        let resolver = HangingResolver()
        defer { resolver.letGo() }
        for upstream in ["\(silent.endpoint)", "slow.example:80"] {
            let account = SelectorAccount()
            let hooks = StreamHooks(makeSelector: account.makeSelector)
            let setup = EngineSetup(clock: TestClock(), resolver: resolver)
            try await withTCP(upstream, "127.0.0.1:1", engine: setup, hooks: hooks) { rig in
                let before = try OpenSockets.connected(to: [silent.port])
                let client = try rig.connect()
                try rig.recorder.expect(.opened)
                rig.finishTurns()
                try client.reset()
                try rig.recorder.expect(.closed(.clientReset))
                #expect(
                    rig.recorder.events == [.opened, .dialFailed(upstream: 0, .canceled), .closed(.clientReset)])
                #expect(account[0] == [.chosen, .failed(.canceled), .released])
                #expect(account[1] == [])
                try waitUntil("the attempt is closed") { try OpenSockets.connected(to: [silent.port]) <= before }
                // Timers that were left would fire now.
                rig.advance(by: .seconds(20))
                rig.finishTurns()
                #expect(rig.recorder.events.count == 3)
            }
        }
    }

    // MARK: The policy

    @Test func `the choice of the hook is dialed first, and where it cannot be reached the others`() async throws {
        let server = try TCPServer.echo()
        let dead = try Ports.free()
        let account = SelectorAccount()
        let hooks = StreamHooks(preDial: { _ in .dialUpstream(2) }, makeSelector: account.makeSelector)
        try await withTCP("127.0.0.1:\(dead)", "\(server.endpoint)", "127.0.0.1:\(dead)", hooks: hooks) { rig in
            try rig.connectThrough().close()
            try rig.recorder.expect(.closed(.clientEOF))
            #expect(
                Self.dials(rig) == [
                    .dialFailed(upstream: 2, .refused), .dialFailed(upstream: 0, .refused), .dialed(upstream: 1),
                ])
            #expect(account[0] == [.chosen, .failed(.refused), .released])
            #expect(account[1] == [.chosen, .connected, .answered, .released])
            #expect(account[2] == [.chosen, .failed(.refused), .released])
        }
    }

    @Test func `where the policy does not accept the choice of the hook, it chooses itself`() async throws {
        let server = try TCPServer.echo()
        let account = SelectorAccount()
        account.hidden.set([0, 2])
        let hooks = StreamHooks(preDial: { _ in .dialUpstream(2) }, makeSelector: account.makeSelector)
        try await withTCP("127.0.0.1:1", "\(server.endpoint)", "127.0.0.1:1", hooks: hooks) { rig in
            try rig.connectThrough().close()
            try rig.recorder.expect(.closed(.clientEOF))
            #expect(Self.dials(rig) == [.dialed(upstream: 1)])
            #expect(account.all == [[.chosen, .connected, .answered, .released]])
        }
    }

    @Test func `a connection that the upstream resets before its first byte is told to the policy`() async throws {
        for isAsked in [true, false] {
            let isDialed = Box(false)
            let server = try TCPServer { connection in
                if isAsked { _ = connection.receive(1) }
                try waitUntil("the dial is over") { isDialed.value }
                try connection.reset()
            }
            let account = SelectorAccount()
            let hooks = StreamHooks(makeSelector: account.makeSelector)
            try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
                let client = try rig.connect()
                if isAsked { try client.send("?") }
                try rig.recorder.expect(.dialed(upstream: 0))
                isDialed.set(true)
                try rig.recorder.expect(.closed(.upstreamReset))
                #expect(account[0] == [.chosen, .connected, .broke(isAsked: isAsked), .released])
            }
        }
    }

    // MARK: UDP

    @Test func `a session whose upstream refuses goes to the next one, with what the first one swallowed`() async throws
    {
        let (dead, server) = (try Ports.free(), try CollectingUpstream())
        let account = SelectorAccount()
        let hooks = StreamHooks(makeSelector: account.makeSelector)
        try await withUDP("127.0.0.1:\(dead)", "\(server.server.endpoint)", "127.0.0.1:\(dead)", hooks: hooks) { rig in
            let client = try UDPSocket()
            try rig.whileHeld { for number in 1...3 { try client.send([UInt8(number)], to: rig.endpoint) } }
            #expect(try server.payloads(atLeast: 3) == [[1], [2], [3]])
            let moved = Self.dials(rig).filter { $0 != .upstreamFailed(.refused) }
            #expect(moved == [.dialed(upstream: 0), .upstreamLeft(upstream: 0), .dialed(upstream: 1)])
            #expect(rig.recorder.count(.upstreamFailed(.refused)) >= 1)
            #expect(account[0] == [.chosen, .connected, .broke(isAsked: true), .released])
            try server.server.send([9], to: try server.session())
            #expect(try client.receive().bytes == [9])
            #expect(account[1] == [.chosen, .connected, .answered])
            #expect(account[2] == [])
            try rig.kill()
            try rig.recorder.expect(.sessionClosed(.routeRemoved))
            #expect(rig.recorder.totals.map(\.upstream) == [1])
            #expect(account[1] == [.chosen, .connected, .answered, .released])
        }
    }

    @Test func `a session stays with a silent upstream, and with one that has answered`() async throws {
        let (silent, other) = (try CollectingUpstream(), try CollectingUpstream())
        try await withUDP(
            "\(silent.server.endpoint)", "\(other.server.endpoint)", "127.0.0.1:1",
            engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try UDPSocket()
            for number in 1...5 {
                try client.send([UInt8(number)], to: rig.endpoint)
                _ = try silent.payloads(atLeast: number)
                rig.advance(by: .seconds(4))
            }
            try silent.server.send([9], to: try silent.session())
            #expect(try client.receive().bytes == [9])
            try silent.server.stop()
            try client.send([6], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused))
            try client.send([7], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused), times: 2)
            #expect(other.count == 0)
            #expect(Self.dials(rig).filter { $0 != .upstreamFailed(.refused) } == [.dialed(upstream: 0)])
        }
    }

    @Test func `a session's upstream without an address, or without a way, gives way to the next one`() async throws {
        let server = try UDPServer.echo()
        // connect(2) refuses a broadcast address (EACCES).
        for (first, reason) in [("nowhere.example:53", DialFailure.dnsNotFound), ("255.255.255.255:53", .permission)] {
            let setup = EngineSetup(clock: TestClock(), resolver: TableResolver([:]))
            try await withUDP(first, "127.0.0.1:\(server.port)", "127.0.0.1:1", engine: setup) { rig in
                if reason == .dnsNotFound { try rig.recorder.expect(.resolved(upstream: 0, .dnsNotFound)) }
                let client = try UDPSocket()
                try client.send([1], to: rig.endpoint)
                #expect(try client.receive().bytes == [1])
                #expect(Self.dials(rig) == [.dialFailed(upstream: 0, reason), .dialed(upstream: 1)])
            }
        }
    }

    @Test func `a session's upstream whose name is not answered has its time, and datagrams wait`() async throws {
        let server = try UDPServer.echo()
        let resolver = HangingResolver()
        defer { resolver.letGo() }
        let setup = EngineSetup(clock: TestClock(), resolver: resolver)
        try await withUDP("slow.example:53", "127.0.0.1:\(server.port)", "127.0.0.1:1", engine: setup) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.opened)
            rig.finishTurns()
            rig.advance(by: .milliseconds(1_667))
            #expect(try client.receive().bytes == [1])
            #expect(Self.dials(rig) == [.timedOut(.dial), .dialFailed(upstream: 0, .dnsTimeout), .dialed(upstream: 1)])
        }
    }

    @Test func `while the next upstream's name is looked up a session has the one that refused, and then leaves it`()
        async throws
    {
        let (dead, server) = (try Ports.free(), try UDPServer.echo())
        let resolver = HangingResolver()
        defer { resolver.letGo() }
        let setup = EngineSetup(clock: TestClock(), resolver: resolver)
        try await withUDP(
            "127.0.0.1:\(dead)", "slow.example:53", "127.0.0.1:\(server.port)", engine: setup
        ) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused))
            rig.finishTurns()
            #expect(rig.recorder.count(.upstreamLeft(upstream: 0)) == 0)
            rig.advance(by: .milliseconds(1_667))
            #expect(try client.receive().bytes == [1])
            let dials = Self.dials(rig).filter { $0 != .upstreamFailed(.refused) }
            #expect(
                dials == [
                    .dialed(upstream: 0), .timedOut(.dial), .dialFailed(upstream: 1, .dnsTimeout),
                    .upstreamLeft(upstream: 0), .dialed(upstream: 2),
                ])
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `a session whose upstreams all refuse keeps the last, and begins anew when a second has passed`()
        async throws
    {
        let dead = try (0..<3).map { _ in try Ports.free() }
        try await withUDP(
            "127.0.0.1:\(dead[0])", "127.0.0.1:\(dead[1])", "127.0.0.1:\(dead[2])",
            engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused), times: 3)
            #expect(
                Self.dials(rig).filter { $0 != .upstreamFailed(.refused) } == [
                    .dialed(upstream: 0), .upstreamLeft(upstream: 0), .dialed(upstream: 1),
                    .upstreamLeft(upstream: 1), .dialed(upstream: 2),
                ])
            // The first is back. A datagram within the second goes to the last one all the same.
            let server = try UDPServer.echo(port: dead[0])
            try client.send([2], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused), times: 4)
            rig.finishTurns()
            #expect(server.received == 0)
            rig.advance(by: .seconds(2))
            try client.send([3], to: rig.endpoint)
            #expect(try client.receive().bytes == [3])
            #expect(rig.recorder.count(.opened) == 1)
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 2)
        }
    }

    @Test func `a session that ends while its upstream's name is looked up gives up its dial`() async throws {
        let resolver = HangingResolver()
        defer { resolver.letGo() }
        let account = SelectorAccount()
        let hooks = StreamHooks(makeSelector: account.makeSelector)
        try await withUDP("slow.example:53", engine: EngineSetup(resolver: resolver), hooks: hooks) { rig in
            try UDPSocket().send([1], to: rig.endpoint)
            try rig.recorder.expect(.opened)
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(
                rig.recorder.events == [
                    .opened, .dropped(.ingress, .noUpstream, 1), .dialFailed(upstream: 0, .canceled),
                    .sessionClosed(.routeRemoved),
                ])
            #expect(account[0] == [.chosen, .failed(.canceled), .released])
        }
    }
}
