import Glibc
import TestSupport

/// All kinds of traffic at once through one Weir, each through a route of its own, so that its books are exact.
final class SoakTraffic {
    /// The servers behind the routes live as long as the traffic.
    private let servers: [any Sendable]
    private(set) var repeaters: [String: Repeater] = [:]
    private let ports: [String: UInt16]
    private var holder: TestConnection?
    /// The `routes:` of the configuration.
    let routes: [String]
    static let resetAnswer = 16_384
    /// More than the kernel keeps for a reader that takes its time.
    static let slow = Pattern.bytes(6 << 20)
    static let oneWayDatagrams = 10

    init() throws {
        let echo = try TCPServer.echo()
        // Says what it got in a few bytes.
        let upload = try TCPServer.answeringAfterEnd { Array("\($0.count):\(Self.checksum($0))".utf8) }
        // Sends the pattern whose length and seed the first line names.
        let download = try TCPServer { connection in
            let wish = connection.receive(16).text.split(separator: " ").compactMap { Int($0) }
            guard wish.count == 2 else { return }
            try connection.send(Pattern.bytes(wish[0], seed: UInt64(wish[1])))
            try connection.shutdownWriting()
            _ = connection.receive()
        }
        let large = try TCPServer { connection in
            try connection.send(Self.slow)
            try connection.shutdownWriting()
            _ = connection.receive()
        }
        let resetting = try TCPServer.resettingAfterAnswer(Pattern.bytes(Self.resetAnswer), unread: 10)
        let datagrams = try UDPServer.echo()
        let swallowing = try UDPServer { _ in [] }
        servers = [echo, upload, download, large, resetting, datagrams, swallowing]
        let dead = try Ports.free()
        let plan: [(name: String, upstream: UInt16, scheme: String, settings: String)] = [
            ("small", echo.port, "tcp4", "idle_timeout: 1m"),
            ("upload", upload.port, "tcp4", "idle_timeout: 1m"),
            ("download", download.port, "tcp4", "idle_timeout: 1m"),
            ("slow", large.port, "tcp4", "idle_timeout: 1m"),
            ("client-reset", echo.port, "tcp4", "idle_timeout: 1m"),
            ("upstream-reset", resetting.port, "tcp4", "idle_timeout: 1m"),
            ("dead", dead, "tcp4", "dial_timeout: 2s"),
            ("limited", echo.port, "tcp4", "max_connections: 1"),
            ("udp-echo", datagrams.port, "udp4", "unassured_timeout: 2s, idle_timeout: 2s"),
            ("udp-sink", swallowing.port, "udp4", "unassured_timeout: 1s"),
            ("udp-query", datagrams.port, "udp4", "responses: 1"),
            ("udp-dead", dead, "udp4", "unassured_timeout: 1s"),
        ]
        var ports: [String: UInt16] = [:]
        routes = try plan.map { route in
            let port = try Ports.free()
            ports[route.name] = port
            return .route(route.name, port, to: route.upstream, scheme: route.scheme, route.settings)
        }
        self.ports = ports
        self.swallowing = swallowing
    }

    private let swallowing: UDPServer

    /// FNV-1a.
    static func checksum(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// The bytes of round `round` of a kind: sizes around those of buffers, and in between.
    static func size(_ round: Int, upTo limit: Int) -> Int { 1 + (round &* 7_919) % limit }

    func start() throws {
        holder = try ports["limited"].map { try TestConnection(to: Endpoint($0)) }
        try holder?.expectEcho([1])
        func add(_ name: String, _ body: @escaping @Sendable (UInt16, Int) throws -> Void) {
            guard let port = ports[name] else { return }
            repeaters[name] = Repeater { try body(port, $0) }
        }
        add("small") { port, round in
            let client = try TestConnection(to: Endpoint(port))
            for request in 1...20 { try client.expectEcho(Pattern.bytes(request * 50, seed: UInt64(round))) }
            try client.expectEnd()
        }
        add("upload") { port, round in
            let bytes = Pattern.bytes(Self.size(round, upTo: 600_000), seed: UInt64(round))
            let client = try TestConnection(to: Endpoint(port))
            try client.send(bytes)
            try client.shutdownWriting()
            try Self.expect(client.receive().text, "\(bytes.count):\(Self.checksum(bytes))")
        }
        add("download") { port, round in
            let (count, seed) = (Self.size(round, upTo: 600_000), round % 1_000)
            let client = try TestConnection(to: Endpoint(port))
            let wish = "\(count) \(seed)"
            try client.send(wish + String(repeating: " ", count: 16 - wish.utf8.count))
            try Self.expectDownload(client, Pattern.bytes(count, seed: UInt64(seed)), piece: 262_144)
        }
        add("slow") { port, _ in
            let client = try TestConnection(to: Endpoint(port), receiveBuffer: 4_096)
            try Self.expectDownload(client, Self.slow, piece: 2_048)
        }
        add("client-reset") { port, round in
            let client = try TestConnection(to: Endpoint(port))
            try client.expectEcho(Pattern.bytes(Self.size(round, upTo: 10_000)))
            try client.reset()
        }
        add("upstream-reset") { port, _ in
            let client = try TestConnection(to: Endpoint(port))
            try client.send(Pattern.bytes(11))
            let answer = client.receive()
            guard answer.bytes == Pattern.bytes(Self.resetAnswer), answer.ending == .reset else {
                throw WrongAnswer("\(answer.bytes.count) bytes, then \(answer.ending)")
            }
        }
        add("dead") { port, _ in
            try Self.expectReset(port)
        }
        // One connection holds the only slot all the time.
        let holder = holder
        add("limited") { port, _ in
            try holder?.expectEcho([1])
            try Self.expectReset(port)
        }
        startDatagrams(add)
    }

    private func startDatagrams(_ add: (String, @escaping @Sendable (UInt16, Int) throws -> Void) -> Void) {
        let player = Shared<UDPSocket?>(try? UDPSocket())
        add("udp-echo") { port, round in
            guard let player = player.withLock({ $0 }) else { throw WrongAnswer("no socket") }
            try Self.ask(player, port, Pattern.bytes(Self.size(round, upTo: 60_000) - 1, seed: UInt64(round)))
        }
        let swallowing = swallowing
        add("udp-sink") { port, round in
            let client = try UDPSocket(buffer: 131_072)
            let wanted = (round + 1) * Self.oneWayDatagrams
            for size in 1...Self.oneWayDatagrams {
                try client.send(Pattern.bytes(size * 100, seed: UInt64(round)), to: Endpoint(port))
            }
            try waitUntil("all have arrived") { swallowing.received >= wanted }
        }
        add("udp-query") { port, round in
            try Self.ask(UDPSocket(buffer: 65_536), port, Pattern.bytes(100, seed: UInt64(round)))
        }
        add("udp-dead") { port, _ in
            let client = try UDPSocket(buffer: 65_536)
            try client.send([1], to: Endpoint(port))
            try client.send([2], to: Endpoint(port))
            _ = client.isReadable(within: 10)
        }
    }

    private static func expect(_ text: String, _ wanted: String) throws {
        guard text == wanted else { throw WrongAnswer("\(text) instead of \(wanted)") }
    }

    private static func expectReset(_ port: UInt16) throws {
        let client: TestConnection
        do {
            client = try TestConnection(to: Endpoint(port))
        } catch let failure as SystemFailure where failure.code == ECONNRESET {
            // The reset arrived before connect(2) returned.
            return
        }
        let received = client.receive()
        guard received.bytes.isEmpty, received.ending == .reset else { throw WrongAnswer("\(received)") }
    }

    private static func ask(_ client: UDPSocket, _ port: UInt16, _ bytes: [UInt8]) throws {
        try client.send(bytes, to: Endpoint(port))
        guard try client.receive().bytes == bytes else { throw WrongAnswer("another datagram") }
    }

    /// Reads to the upstream's end before it ends itself, so that the upstream was the first.
    private static func expectDownload(_ client: TestConnection, _ wanted: [UInt8], piece: Int) throws {
        var bytes: [UInt8] = []
        while true {
            let received = client.receiveSome(piece)
            bytes += received.bytes
            guard received.bytes.isEmpty else { continue }
            guard received.ending == .endOfStream, bytes == wanted else {
                throw WrongAnswer("\(bytes.count) bytes of \(wanted.count), or others, then \(received.ending)")
            }
            return try client.expectEnd()
        }
    }

    func stop() {
        repeaters.values.forEach { $0.stop() }
        holder?.close()
    }

    func rounds(_ name: String) -> Int { repeaters[name]?.rounds ?? 0 }

    var failures: [String] { repeaters.flatMap { name, repeater in repeater.failures.map { "\(name), \($0)" } } }
}
