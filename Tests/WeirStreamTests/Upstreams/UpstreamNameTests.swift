import LinuxIO
import TestSupport
import Testing
import WeirStream

/// Tests of names whose addresses change, or whose lookups fail, while connections and sessions are open.
@Suite(.timeLimit(.minutes(1))) struct UpstreamNameTests {
    /// Asks all the time, so that a change is seen soon.
    private static func setup(_ resolver: TableResolver, clock: TestClock? = nil) -> EngineSetup {
        EngineSetup(
            clock: clock, resolver: resolver, resolveInterval: .milliseconds(5),
            minResolveInterval: .milliseconds(1))
    }

    /// Answers a TCP client's every byte with this one.
    private static func tcp(_ answer: UInt8, host: String, port: UInt16? = nil) throws -> TCPServer {
        try TCPServer(host: host, port: port) { connection in
            while connection.receive(1).ending == .satisfied { try connection.send([answer]) }
        }
    }

    @Test func `a name that stops resolving keeps its last answer, for old connections and new ones`() async throws {
        let server = try TCPServer.echo()
        let resolver = TableResolver(["fading.example": ["127.0.0.1"]])
        try await withTCP("fading.example:\(server.port)", engine: Self.setup(resolver)) { rig in
            let old = try rig.connectThrough()
            resolver.set("fading.example", [])
            try rig.recorder.expect(.resolved(upstream: 0, .dnsNotFound), times: 3)
            let new = try rig.connectThrough()
            for client in [old, new] {
                try client.send("ok")
                #expect(client.receive(2).text == "ok")
            }
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 2)
            #expect(!rig.recorder.events.contains(.dialFailed(upstream: 0, .dnsNotFound)))
            #expect(rig.stream.openCount == 2)
        }
    }

    @Test func `new connections follow a name to another address, and the old ones stay`() async throws {
        let first = try Self.tcp(1, host: "127.0.0.1")
        let second = try Self.tcp(2, host: "127.0.0.2", port: first.port)
        let resolver = TableResolver(["moving.example": ["127.0.0.1"]])
        try await withTCP("moving.example:\(first.port)", engine: Self.setup(resolver)) { rig in
            func answer(_ client: TestConnection) throws -> [UInt8] {
                try client.send("?")
                return client.receive(1).bytes
            }
            let old = try rig.connect()
            #expect(try answer(old) == [1])
            resolver.set("moving.example", ["127.0.0.2"])
            try waitUntil("a new connection goes to the new address") { try answer(rig.connect()) == [2] }
            #expect(try answer(old) == [1])
            // No connection falls back to the old address.
            first.stop()
            #expect(try answer(rig.connect()) == [2])
            #expect(second.accepted >= 2)
            #expect(!rig.recorder.events.contains { if case .dialFailed = $0 { true } else { false } })
        }
    }

    @Test func `a session stays with an old address that still answers, and leaves it when replies stop`() async throws
    {
        let isSilent = Box(false)
        let first = try UDPServer { _ in isSilent.value ? [] : [[1]] }
        let second = try UDPServer(host: "127.0.0.2", port: first.port) { _ in [[2]] }
        let resolver = TableResolver(["moving.example": ["127.0.0.1"]])
        let clock = TestClock()
        try await withUDP("moving.example:\(first.port)", engine: Self.setup(resolver, clock: clock)) { rig in
            let client = try UDPSocket()
            func ask() throws -> [UInt8] {
                try client.send([0], to: rig.endpoint)
                return try client.receive().bytes
            }
            #expect(try ask() == [1])
            let before = resolver.lookUps(of: "moving.example")
            resolver.set("moving.example", ["127.0.0.2"])
            try waitUntil("the new answer is known") { resolver.lookUps(of: "moving.example") > before + 3 }
            for _ in 0..<10 {
                rig.advance(by: .seconds(2))
                #expect(try ask() == [1])
            }
            isSilent.set(true)
            // A busy client: what it sends first goes to the old address, which has a second to answer it.
            for number in 1...9 {
                try client.send([0], to: rig.endpoint)
                try waitUntil("the old address got it") { first.received == 11 + number }
                rig.advance(by: .milliseconds(100))
            }
            #expect(second.received == 0)
            rig.advance(by: .milliseconds(200))
            #expect(try ask() == [2])
            #expect(rig.recorder.count(.opened) == 1)
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 1)
            #expect(rig.recorder.dropped(.ingress) == 0)
            #expect(rig.stream.openCount == 1)
        }
    }

    @Test func `a name that fails under a session costs it nothing`() async throws {
        let server = try UDPServer.echo()
        let resolver = TableResolver(["fading.example": ["127.0.0.1"]])
        try await withUDP("fading.example:\(server.port)", engine: Self.setup(resolver)) { rig in
            let old = try UDPSocket()
            let new = try UDPSocket()
            try old.send([1], to: rig.endpoint)
            #expect(try old.receive().bytes == [1])
            resolver.set("fading.example", [])
            try rig.recorder.expect(.resolved(upstream: 0, .dnsNotFound), times: 3)
            for client in [old, new] {
                try client.send([2], to: rig.endpoint)
                #expect(try client.receive().bytes == [2])
            }
            #expect(rig.recorder.count(.opened) == 2)
            #expect(rig.stream.openCount == 2)
            #expect(rig.recorder.dropped(.ingress) == 0)
        }
    }
}
