import Glibc
import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

/// Connections whose sides are encrypted by a session: the phases before the relay, through the whole engine.
@Suite(.timeLimit(.minutes(1))) struct TCPHandshakeTests {
    /// Speaks ``ToyCipher`` over a blocking connection: its hello, and records one at a time.
    private struct Speaker {
        let connection: TestConnection
        let key: UInt8
        private var sentCount = 0

        init(_ connection: TestConnection, key: UInt8) {
            self.connection = connection
            self.key = key
        }

        func hello() throws { try connection.send(Array("toy".utf8) + [key]) }

        mutating func send(_ text: String) throws {
            let bytes = Array(text.utf8)
            let body = bytes.enumerated().map { $1 ^ key ^ UInt8(truncatingIfNeeded: sentCount + $0) }
            sentCount += bytes.count
            try connection.send([UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + body)
        }

        func end() throws { try connection.send([0, 0]) }

        /// Reads the peer's hello.
        func peerKey() throws -> UInt8 {
            let hello = connection.receive(4).bytes
            try #require(hello.starts(with: Array("toy".utf8)))
            return hello[3]
        }
    }

    private static func decrypt(_ record: [UInt8], key: UInt8) -> String {
        String(decoding: record.dropFirst(2).enumerated().map { $1 ^ key ^ UInt8($0) }, as: UTF8.self)
    }

    @Test func `a client's side is encrypted, its upstream's is not`() async throws {
        let server = try TCPServer.echo()
        var hooks = StreamHooks()
        hooks.clientSession = { _ in ToyCipher(key: 0x2a) }
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            var speaker = Speaker(client, key: 0x11)
            // In two pieces: the handshake waits.
            try client.send("to")
            try client.send([UInt8(ascii: "y"), 0x11])
            #expect(try speaker.peerKey() == 0x2a)
            try speaker.send("hello")
            let record = client.receive(7).bytes
            #expect(Self.decrypt(record, key: 0x2a) == "hello")
            try speaker.end()
            #expect(client.receive(2).bytes == [0, 0])
            client.close()
            try rig.recorder.expect(.closed(.clientEOF))
            #expect(rig.recorder.totals.map(\.ingressBytes) == [5])
        }
    }

    @Test func `an upstream's side is encrypted, and its handshake is a part of the dial`() async throws {
        let server = try TCPServer { connection in
            var speaker = Speaker(connection, key: 0x33)
            try speaker.hello()
            #expect(try speaker.peerKey() == 0x44)
            let record = connection.receive(6).bytes
            #expect(Self.decrypt(record, key: 0x44) == "ping")
            try speaker.send("pong")
            try speaker.end()
            #expect(connection.receive(2).bytes == [0, 0])
        }
        var hooks = StreamHooks()
        hooks.upstreamSession = { _, _ in ToyCipher(key: 0x44) }
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            try client.send("ping")
            let answer = client.receive()
            #expect(answer.text == "pong")
            #expect(answer.ending == .endOfStream)
            try client.shutdownWriting()
            try rig.recorder.expect(.closed(.upstreamEOF))
        }
    }

    @Test func `a client that does not shake hands is rejected as tls, and no upstream is dialed`() async throws {
        let server = try TCPServer.echo()
        var hooks = StreamHooks()
        hooks.clientSession = { _ in ToyCipher(key: 1) }
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            try client.send("GET / HTTP/1.1\r\n\r\n")
            // No reset, which could overtake the session's last words.
            #expect(client.receive().ending == .endOfStream)
            try rig.recorder.expect(.rejected(.tls))
            #expect(!rig.recorder.events.contains(.dialed(upstream: 0)))
        }
    }

    @Test func `a client that is silent in its handshake is rejected when its time is over`() async throws {
        let server = try TCPServer.echo()
        var hooks = StreamHooks()
        hooks.clientSession = { _ in ToyCipher(key: 1) }
        var settings = TCPSettings()
        settings.handshakeTimeout = .milliseconds(50)
        try await withTCP("\(server.endpoint)", settings: settings, hooks: hooks) { rig in
            let client = try rig.connect()
            #expect(client.receive(4).bytes.count == 4)
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.timedOut(.handshake))
            try rig.recorder.expect(.rejected(.tls))
        }
    }

    @Test func `an upstream that does not shake hands is a dial that failed as tls`() async throws {
        let server = try TCPServer { connection in try connection.send("220 plain text\r\n") }
        var hooks = StreamHooks()
        hooks.upstreamSession = { _, _ in ToyCipher(key: 1) }
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.dialFailed(upstream: 0, .tls))
            try rig.recorder.expect(.closed(.dialFailed))
        }
    }

    @Test func `a silent upstream's handshake ends with the time of the dial`() async throws {
        let server = try TCPServer { connection in _ = connection.receive() }
        var hooks = StreamHooks()
        hooks.upstreamSession = { _, _ in ToyCipher(key: 1) }
        var settings = TCPSettings()
        settings.dialTimeout = .milliseconds(80)
        try await withTCP("\(server.endpoint)", settings: settings, hooks: hooks) { rig in
            let client = try rig.connect()
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.dialFailed(upstream: 0, .timeout))
            try rig.recorder.expect(.closed(.dialFailed))
        }
    }
}
