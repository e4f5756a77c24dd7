import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// Sources that access rules deny.
@Suite(.timeLimit(.minutes(1))) struct UDPDeniedTests {
    /// Denies clients while it is told to, and counts how often it was asked.
    private final class Rules: Sendable {
        let asked = Box(0)
        let denies = Box(true)

        func hooks(_ recorder: Recorder? = nil) -> StreamHooks {
            StreamHooks(
                admit: { _ in
                    self.asked.add(1)
                    return self.denies.value ? .reject(.acl) : .accept
                },
                review: { _ in self.denies.value ? .reject(.acl) : .accept }, observer: recorder)
        }
    }

    private static func update(_ rig: Rig<UDPStream>, _ upstream: String, _ hooks: StreamHooks) throws {
        try wait {
            try await rig.stream.update(
                name: "test", upstreams: [try Upstream(upstream)], settings: UDPSettings(), hooks: hooks)
        }
    }

    @Test func `a denied source is judged once, and what it sends then is only counted`() async throws {
        let server = try UDPServer.echo()
        let rules = Rules()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock()), hooks: rules.hooks()) { rig in
            let (one, two) = (try UDPSocket(), try UDPSocket())
            for round in 1...3 {
                for client in [one, two] { try client.send([1], to: rig.endpoint) }
                try waitUntil("round \(round) is counted") { rig.recorder.dropped(.ingress, .acl) == 2 * round }
            }
            #expect(rules.asked.value == 2)
            #expect(rig.recorder.count(.opened) == 2)
            #expect(rig.recorder.count(.rejected(.acl)) == 2)
            #expect(!one.isReadable() && !two.isReadable())
            #expect(server.received == 0)
        }
    }

    @Test func `after silence a source is judged again, and talking keeps it denied`() async throws {
        let server = try UDPServer.echo()
        let rules = Rules()
        let clock = TestClock()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: clock), hooks: rules.hooks()) { rig in
            let client = try UDPSocket()
            func send(dropped count: Int) throws {
                try client.send([1], to: rig.endpoint)
                try waitUntil("drop \(count) is counted") { rig.recorder.dropped(.ingress, .acl) == count }
            }
            try send(dropped: 1)
            for count in 2...4 {
                rig.advance(by: .seconds(20))
                rig.finishTurns()
                try send(dropped: count)
            }
            #expect(rules.asked.value == 1)
            rules.denies.set(false)
            rig.advance(by: .seconds(31))
            rig.finishTurns()
            try client.send([7], to: rig.endpoint)
            #expect(try client.receive().bytes == [7])
            #expect(rules.asked.value == 2)
        }
    }

    @Test func `an update forgets who was denied`() async throws {
        let server = try UDPServer.echo()
        let rules = Rules()
        try await withUDP("\(server.endpoint)", hooks: rules.hooks()) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.rejected(.acl))
            rules.denies.set(false)
            try Self.update(rig, "\(server.endpoint)", rules.hooks(rig.recorder))
            try client.send([2], to: rig.endpoint)
            #expect(try client.receive().bytes == [2])
        }
    }

    @Test func `what is refused for other reasons is judged every time`() async throws {
        let asked = Box(0)
        let hooks = StreamHooks(admit: { _ in
            asked.add(1)
            return .reject(.rateLimit)
        })
        try await withUDP("127.0.0.1:1", hooks: hooks) { rig in
            let client = try UDPSocket()
            for _ in 0..<3 { try client.send([1], to: rig.endpoint) }
            try rig.recorder.expect(.rejected(.rateLimit), times: 3)
            #expect(asked.value == 3)
        }
    }

    @Test func `an update ends the sessions that its hooks do not admit, and leaves the others`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)") { rig in
            let (kept, ended) = (try UDPSocket(), try UDPSocket())
            for client in [kept, ended] {
                try client.send([1], to: rig.endpoint)
                #expect(try client.receive().bytes == [1])
            }
            let port = try ended.localEndpoint.port
            let admits = Box(0)
            let hooks = StreamHooks(
                admit: { _ in
                    admits.add(1)
                    return .accept
                },
                review: { $0.clientAddress.port == port ? .reject(.acl) : .accept }, observer: rig.recorder)
            try Self.update(rig, "\(server.endpoint)", hooks)
            #expect(rig.recorder.count(.sessionClosed(.routeRemoved)) == 1)
            #expect(rig.stream.openCount == 1)
            // Open sessions are reviewed, not admitted once more.
            #expect(admits.value == 0)
            try kept.send([2], to: rig.endpoint)
            #expect(try kept.receive().bytes == [2])
        }
    }

    @Test func `a session that is not dialed yet is rejected by an update that does not admit it`() async throws {
        let hooks = StreamHooks(preDial: { _ in
            for await _ in AsyncStream<Void>.makeStream().stream {}
            throw CancellationError()
        })
        try await withUDP("127.0.0.1:1", hooks: hooks) { rig in
            try UDPSocket().send([1], to: rig.endpoint)
            try rig.recorder.expect(.opened)
            try Self.update(
                rig, "127.0.0.1:1", StreamHooks(review: { _ in .reject(.acl) }, observer: rig.recorder))
            #expect(rig.recorder.count(.rejected(.acl)) == 1)
            #expect(rig.stream.openCount == 0)
        }
    }
}

struct DeniedSourcesTests {
    private func mark(_ port: UInt16, ip: UInt32 = 1, stream: UInt32 = 1, generation: Int = 1) -> DeniedSources.Mark {
        let peer = SocketAddress(IPAddress(v4: ip), port: port)
        return DeniedSources.Mark(
            key: SessionKey(peer: peer, localIP: .loopbackIPv4, scope: 0), client: nil, listener: stream,
            generation: generation)
    }

    @Test func `a source is held until it has been silent for so long`() {
        var table = DeniedSources()
        func holds(_ mark: DeniedSources.Mark, now: UInt64, silence: UInt64) -> Bool {
            table.holds(mark, now: now, silence: silence)
        }
        #expect(!holds(mark(1), now: 0, silence: 10))
        table.insert(mark(1), now: 100)
        #expect(holds(mark(1), now: 109, silence: 10))
        // That it was asked about counts as a word of it.
        #expect(holds(mark(1), now: 118, silence: 10))
        #expect(!holds(mark(1), now: 128, silence: 10))
        #expect(!holds(mark(1), now: 128, silence: 1000))
    }

    @Test func `streams and their plans are told apart`() {
        var table = DeniedSources()
        func holds(_ mark: DeniedSources.Mark) -> Bool { table.holds(mark, now: 1, silence: 10) }
        table.insert(mark(1), now: 0)
        #expect(!holds(mark(1, stream: 2)))
        #expect(!holds(mark(1, generation: 2)))
        #expect(holds(mark(1)))
    }

    @Test func `very many sources stay within the table, and the latest is always held`() {
        var table = DeniedSources()
        for number in 0..<UInt32(4 * DeniedSources.capacity) {
            let mark = mark(UInt16(truncatingIfNeeded: number), ip: number)
            table.insert(mark, now: UInt64(number))
            let isHeld = table.holds(mark, now: UInt64(number), silence: 1 << 40)
            #expect(isHeld)
        }
        var held = 0
        for number in 0..<UInt32(4 * DeniedSources.capacity) {
            let mark = mark(UInt16(truncatingIfNeeded: number), ip: number)
            if table.holds(mark, now: UInt64(4 * DeniedSources.capacity), silence: 1 << 40) { held += 1 }
        }
        #expect(held <= DeniedSources.capacity)
        #expect(held > DeniedSources.capacity / 2)
    }
}
