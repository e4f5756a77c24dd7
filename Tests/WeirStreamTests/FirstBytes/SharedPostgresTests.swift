import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// A session that encrypts nothing.
private final class OpenSession: SecureSession {
    let traits: ChannelTraits = []
    let hasPendingOutput = false

    func handshake(on socket: borrowing Socket) -> HandshakeStep { .done }
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        socket.receive(into: buffer)
    }
    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { socket.send(bytes) }
    func finishWriting(on socket: borrowing Socket) { try? socket.shutdownWriting() }
    func flush(to socket: borrowing Socket) -> SystemError? { nil }
}

/// Tests of matchers that answer, with PostgreSQL's: requests, answers, and what upstreams get first.
@Suite(.timeLimit(.minutes(1))) struct SharedPostgresTests {
    private typealias Bytes = PostgresBytes
    private static let hello = HelloBytes.make("a.db.example.net", ["postgresql"])

    /// A beginning of an upstream that must be asked for encryption, and grants it.
    @Sendable private static func granting(_ connection: TestConnection) throws {
        guard connection.receive(8).bytes == Bytes.sslRequest else { return connection.close() }
        try connection.send("S")
    }

    /// The client gets no byte, and a reset.
    private static func expectReset(_ client: TestConnection) {
        let received = client.receive()
        #expect(received.bytes.isEmpty)
        #expect(received.ending == .reset)
    }

    @Test(arguments: [1, 2])
    func `a request is answered, the hello chooses, and the upstream is asked first`(workers: Int) async throws {
        try await withShared(
            other: try Bytes.matcher(), engine: EngineSetup(workers: workers), beginning: Self.granting
        ) { rig in
            for (index, (hello, name)) in [(Self.hello, "A"), (HelloBytes.make("b.net"), "B")].enumerated() {
                let client = try rig.connect()
                try client.send(Bytes.sslRequest)
                #expect(client.receive(1).text == "S")
                try client.send(hello)
                // The first byte of the upstream that the client gets is the one behind its answer.
                #expect(client.receive(1 + hello.count).bytes == Array(name.utf8) + hello)
                try rig.expectUndecided(0, accepted: index + 1)
            }
            #expect(rig.told.seen.results == [.name, .default])
            try rig.expectRoutesAddUp()
        }
    }

    @Test func `requests and hellos may come a byte at a time`() async throws {
        try await withShared(other: try Bytes.matcher(), beginning: Self.granting) { rig in
            let client = try rig.connect()
            for byte in Bytes.gssRequest { try client.send([byte]) }
            #expect(client.receive(1).text == "N")
            for byte in Bytes.sslRequest { try client.send([byte]) }
            #expect(client.receive(1).text == "S")
            for byte in Self.hello { try client.send([byte]) }
            #expect(client.receive(1 + Self.hello.count).bytes == [UInt8(ascii: "A")] + Self.hello)
        }
    }

    @Test func `a hello at once, and a startup message, reach their upstreams as they are`() async throws {
        try await withShared(other: try Bytes.matcher()) { rig in
            let unencrypted = Bytes.startup
            for (bytes, name) in [(Self.hello, "A"), (unencrypted, "B"), (Bytes.cancelRequest, "B")] {
                let client = try rig.connect()
                try client.send(bytes)
                #expect(client.receive(1 + bytes.count).bytes == Array(name.utf8) + bytes)
            }
            let refused = try rig.connect()
            try refused.send(Bytes.gssRequest)
            #expect(refused.receive(1).text == "N")
            try refused.send(unencrypted)
            #expect(refused.receive(1 + unencrypted.count).bytes == [UInt8(ascii: "B")] + unencrypted)
            #expect(rig.told.seen.results == [.name, .notTLS, .notTLS, .notTLS])
        }
    }

    @Test func `injected bytes, a second request and no hello end the client before any route sees it`() async throws {
        try await withShared(other: try Bytes.matcher()) { rig in
            let injecting = try rig.connect()
            try injecting.send(Bytes.sslRequest + Self.hello)
            Self.expectReset(injecting)
            try rig.told.expect(.malformed)
            for bytes in [Bytes.sslRequest, Bytes.startup] {
                let client = try rig.connect()
                try client.send(Bytes.sslRequest)
                #expect(client.receive(1).text == "S")
                try client.send(bytes)
                #expect(client.receive().ending == .reset)
            }
            try rig.told.expect(.malformed, times: 3)
            let leaving = try rig.connect()
            try leaving.send(Bytes.sslRequest)
            #expect(leaving.receive(1).text == "S")
            try leaving.shutdownWriting()
            #expect(leaving.receive().ending == .reset)
            try rig.told.expect(.closed)
            try rig.expectUndecided(0, accepted: 4)
            for recorder in rig.recorders { #expect(recorder.events.isEmpty) }
        }
    }

    @Test func `a client that is silent after its answer has the time of the first bytes`() async throws {
        try await withShared(other: try Bytes.matcher(), engine: EngineSetup(clock: TestClock())) { rig in
            let client = try rig.connect()
            try client.send(Bytes.sslRequest)
            #expect(client.receive(1).text == "S")
            try rig.expectUndecided(1, accepted: 1)
            rig.advance(by: .seconds(6))
            #expect(client.receive().ending == .reset)
            try rig.told.expect(.timeout)
        }
    }

    // MARK: Upstreams

    private static let refusals: [@Sendable (TestConnection) throws -> Void] = [
        { connection in
            _ = connection.receive(8)
            try connection.send("N")
            _ = connection.receive()
        },
        { connection in
            _ = connection.receive(8)
            try connection.send("EFATAL\0")
            _ = connection.receive()
        },
        { connection in
            _ = connection.receive(8)
            connection.close()
        },
    ]

    @Test(arguments: refusals.indices)
    func `an upstream that does not grant encryption is a dial that failed, and gets no byte of the client`(
        index: Int
    ) async throws {
        try await withShared(other: try Bytes.matcher(), beginning: Self.refusals[index]) { rig in
            let client = try rig.connect()
            try client.send(Bytes.sslRequest)
            #expect(client.receive(1).text == "S")
            try client.send(Self.hello)
            Self.expectReset(client)
            try rig.recorders[0].expect(.dialFailed(upstream: 0, .tls))
            try rig.recorders[0].expect(.closed(.dialFailed))
            try rig.expectRoutesAddUp()
        }
    }

    @Test func `where an upstream does not grant encryption, the next one is asked`() async throws {
        let plain = try TCPServer(handler: Self.refusals[0])
        try await withShared(
            other: try Bytes.matcher(), earlierUpstreams: ["\(plain.endpoint)"], beginning: Self.granting
        ) { rig in
            let client = try rig.connect()
            try client.send(Bytes.sslRequest)
            #expect(client.receive(1).text == "S")
            try client.send(Self.hello)
            #expect(client.receive(1 + Self.hello.count).bytes == [UInt8(ascii: "A")] + Self.hello)
            #expect(rig.recorders[0].events.contains(.dialFailed(upstream: 0, .tls)))
            #expect(rig.recorders[0].events.contains(.dialed(upstream: 1)))
        }
    }

    @Test func `an upstream that resets, or says nothing, fails as in any dial`() async throws {
        let isSilent = Box(false)
        var settings = TCPSettings()
        settings.dialTimeout = .seconds(3)
        try await withShared(
            other: try Bytes.matcher(), engine: EngineSetup(clock: TestClock()), routeSettings: settings,
            beginning: { connection in
                _ = connection.receive(8)
                if !isSilent.value { try connection.reset() } else { _ = connection.receive() }
            }
        ) { rig in
            let client = try rig.connect()
            try client.send(Bytes.sslRequest)
            #expect(client.receive(1).text == "S")
            try client.send(Self.hello)
            #expect(client.receive().ending == .reset)
            try rig.recorders[0].expect(.dialFailed(upstream: 0, .reset))
            isSilent.set(true)
            let waiting = try rig.connect()
            try waiting.send(Bytes.sslRequest)
            #expect(waiting.receive(1).text == "S")
            try waiting.send(Self.hello)
            try rig.expectUndecided(0, accepted: 2)
            rig.advance(by: .seconds(4))
            #expect(waiting.receive().ending == .reset)
            try rig.recorders[0].expect(.dialFailed(upstream: 0, .timeout))
            try rig.expectRoutesAddUp()
        }
    }

    @Test func `a PROXY header precedes the request, and bytes behind the answer are the client's`() async throws {
        let headers = Box<[String]>([])
        var settings = TCPSettings()
        settings.relayedHeader = .v1
        try await withShared(
            other: try Bytes.matcher(), routeSettings: settings,
            beginning: { connection in
                var line: [UInt8] = []
                while line.last != 10 { line += connection.receive(1).bytes }
                headers.update { $0.append(String(decoding: line, as: UTF8.self)) }
                guard connection.receive(8).bytes == Bytes.sslRequest else { return connection.close() }
                try connection.send("S-at-once-")
            }
        ) { rig in
            let client = try rig.connect()
            try client.send(Bytes.sslRequest)
            #expect(client.receive(1).text == "S")
            try client.send(Self.hello)
            let expected = Array("-at-once-A".utf8) + Self.hello
            #expect(client.receive(expected.count).bytes == expected)
            #expect(headers.value.count == 1)
            #expect(headers.value.allSatisfy { $0.hasPrefix("PROXY TCP4 127.0.0.1") })
        }
    }

    @Test func `a session of the upstream begins behind the preface`() async throws {
        var hooks = StreamHooks()
        hooks.upstreamSession = { _, _ in ToyCipher(key: 0x44) }
        try await withShared(
            other: try Bytes.matcher(), routeHooks: hooks,
            beginning: { connection in
                try Self.granting(connection)
                guard connection.receive(4).bytes == Array("toy".utf8) + [0x44] else { return connection.close() }
                try connection.send(Array("toy".utf8) + [0])
                // One record of two bytes, exclusive-ored with their positions.
                try connection.send([0, 2, UInt8(ascii: "o"), UInt8(ascii: "k") ^ 1])
                _ = connection.receive()
            }
        ) { rig in
            let client = try rig.connect()
            try client.send(Bytes.sslRequest)
            #expect(client.receive(1).text == "S")
            try client.send(Self.hello)
            #expect(client.receive(2).text == "ok")
        }
    }

    @Test func `a route that decrypts its clients asks its upstream for nothing`() async throws {
        var hooks = StreamHooks()
        hooks.clientSession = { _ in OpenSession() }
        try await withShared(other: try Bytes.matcher(), routeHooks: hooks) { rig in
            let client = try rig.connect()
            try client.send(Bytes.sslRequest)
            #expect(client.receive(1).text == "S")
            try client.send(Self.hello)
            #expect(client.receive(1 + Self.hello.count).bytes == [UInt8(ascii: "A")] + Self.hello)
        }
    }
}
