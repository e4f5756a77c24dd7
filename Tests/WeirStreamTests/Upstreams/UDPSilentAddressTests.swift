import LinuxIO
import TestSupport
import Testing
import WeirStream

/// Names with several addresses, of which some swallow datagrams.
@Suite(.timeLimit(.minutes(1))) struct UDPSilentAddressTests {
    private static let hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    private static let name = "several.example"

    private static func names() -> TableResolver { TableResolver([name: hosts]) }

    /// A server for each address of the name; those in `answering` answer with their index.
    private static func servers(answering: Box<Set<Int>>) throws -> [UDPServer] {
        let port = try Ports.free()
        return try hosts.indices.map { index in
            try UDPServer(host: hosts[index], port: port) { _ in
                answering.value.contains(index) ? [[UInt8(index)]] : []
            }
        }
    }

    private static func serve(
        _ servers: [UDPServer], settings: UDPSettings = UDPSettings(), workers: Int = 1,
        resolver: TableResolver = Self.names(), _ body: @escaping @Sendable (Rig<UDPStream>) throws -> Void
    ) async throws {
        let setup = EngineSetup(
            workers: workers, clock: TestClock(), resolver: resolver, resolveInterval: .milliseconds(5),
            minResolveInterval: .milliseconds(1))
        try await withUDP("\(name):\(servers[0].port)", settings: settings, engine: setup, body)
    }

    @Test(arguments: [nil, DatagramHeaders.first, .each])
    func `the first addresses swallow a question: the next one gets a copy, and is the first choice from then on`(
        headers: DatagramHeaders?
    ) async throws {
        let (servers, names) = (try Self.servers(answering: Box([2])), Self.names())
        var settings = UDPSettings()
        settings.relayedHeader = headers
        try await Self.serve(servers, settings: settings, resolver: names) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try waitUntil("the first address has it") { servers[0].received == 1 }
            rig.advance(by: .milliseconds(1_001))
            try waitUntil("the second address has a copy") { servers[1].received == 1 }
            rig.advance(by: .milliseconds(1_001))
            #expect(try client.receive().bytes == [2])
            #expect(rig.recorder.count(.moved(.unanswered)) == 1)
            // Copies are not counted: one question, one answer.
            #expect(rig.recorder.forwarded(.ingress) == 1)
            for _ in 0..<3 {
                // The look-ups go on, and name the addresses in their old order.
                let lookUps = names.lookUps(of: Self.name)
                try waitUntil("one more has ended") { names.lookUps(of: Self.name) >= lookUps + 2 }
                try client.send([2], to: rig.endpoint)
                #expect(try client.receive().bytes == [2])
                let next = try UDPSocket()
                try next.send([3], to: rig.endpoint)
                #expect(try next.receive().bytes == [2])
            }
            #expect(servers[0].received == 1 && servers[1].received == 1)
            #expect(rig.recorder.count(.moved(.unanswered)) == 1)
        }
    }

    @Test func `the other workers hear which address answers`() async throws {
        let servers = try Self.servers(answering: Box([1]))
        try await Self.serve(servers, workers: 2) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try waitUntil("the first address has it") { servers[0].received == 1 }
            rig.advance(by: .milliseconds(1_001))
            #expect(try client.receive().bytes == [1])
            // The clock stands: no other session tries an address of its own.
            try waitUntil("sessions of both workers go there at once") {
                let others = try (0..<20).map { _ in try UDPSocket() }
                for other in others { try other.send([2], to: rig.endpoint) }
                return others.allSatisfy { $0.isReadable(within: 500) }
            }
            #expect(rig.recorder.count(.moved(.unanswered)) == 1)
        }
    }

    @Test func `traffic that needs no answer all goes to the first address`() async throws {
        let servers = try Self.servers(answering: Box([]))
        try await Self.serve(servers) { rig in
            for round in 1...3 {
                let client = try UDPSocket()
                for number in 1...20 {
                    try client.send([UInt8(number)], to: rig.endpoint)
                    try waitUntil("it has arrived") { servers[0].received == (round - 1) * 20 + number }
                    rig.advance(by: .milliseconds(501))
                }
            }
            #expect(rig.recorder.forwarded(.ingress) == 60)
            #expect(rig.recorder.count(.moved(.unanswered)) == 0)
            // Only the first session has tried the other addresses, with what it had sent in its first seconds.
            #expect(servers[1].received <= 4 && servers[2].received <= 6)
            #expect(rig.stream.openCount == 3)
        }
    }

    @Test func `an answer of the first address ends the trial of the next one`() async throws {
        let answering = Box<Set<Int>>([])
        let servers = try Self.servers(answering: answering)
        try await Self.serve(servers) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try waitUntil("the first address has it") { servers[0].received == 1 }
            rig.advance(by: .milliseconds(1_001))
            try waitUntil("the second address has a copy") { servers[1].received == 1 }
            answering.set([0, 1, 2])
            try client.send([2], to: rig.endpoint)
            #expect(try client.receive().bytes == [0])
            rig.advance(by: .seconds(3))
            try client.send([3], to: rig.endpoint)
            #expect(try client.receive().bytes == [0])
            #expect(servers[1].received == 1 && servers[2].received == 0)
            #expect(rig.recorder.count(.moved(.unanswered)) == 0)
        }
    }

    @Test func `an address that answers others is not left`() async throws {
        let port = try Ports.free()
        let servers = try Self.hosts.map { host in
            try UDPServer(host: host, port: port) { $0.bytes == [0] ? [] : [$0.bytes] }
        }
        try await Self.serve(servers) { rig in
            // A question that is never answered, beside others that are.
            let (odd, other) = (try UDPSocket(), try UDPSocket())
            try odd.send([0], to: rig.endpoint)
            for _ in 0..<12 {
                try other.send([1], to: rig.endpoint)
                _ = try other.receive()
                rig.advance(by: .milliseconds(501))
            }
            try waitUntil("all went to the first address") { servers[0].received == 13 }
            #expect(servers[1].received == 0)
        }
    }
}
