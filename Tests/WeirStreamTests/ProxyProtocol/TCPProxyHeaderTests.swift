import LinuxIO
import Synchronization
import TestSupport
import Testing
import WeirStream

/// PROXY headers that trusted peers begin with.
@Suite(.timeLimit(.minutes(2))) struct TCPProxyHeaderTests {
    private typealias Client = TestConnection

    @Test func `every good header names the client, and the payload behind it passes whole`() async throws {
        let server = try TCPServer.echo()
        let gate = Proxied.Gate()
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required), hooks: gate.hooks) { rig in
            for (index, vector) in HeaderVector.all.filter(\.isAccepted).enumerated() {
                let client = try rig.connect()
                try client.send(vector.bytes + Array("payload".utf8))
                #expect(client.receive(7).text == "payload", "\(vector)")
                try client.shutdownWriting()
                #expect(client.receive().isWhole([]), "\(vector)")
                let peer = try client.localEndpoint.description
                let seen = try #require(gate.seen.dropFirst(index).first)
                switch vector.outcome {
                case .client(let source, let destination):
                    #expect(seen == .init(client: source, local: destination, peer: peer), "\(vector)")
                default: #expect(seen == .init(client: peer, local: "\(rig.endpoint)", peer: peer), "\(vector)")
                }
                try rig.recorder.expect(.closed(.clientEOF), times: index + 1)
                #expect(rig.recorder.totals[index].ingressBytes == 7, "\(vector)")
            }
        }
    }

    @Test func `every bad header is answered with a reset, its reason is told, and nothing is dialed`() async throws {
        let server = try TCPServer.echo()
        let gate = Proxied.Gate()
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.mixed), hooks: gate.hooks) { rig in
            for (index, vector) in HeaderVector.all.filter({ !$0.isAccepted && !$0.bytes.isEmpty }).enumerated() {
                guard case .refused(let reason) = vector.outcome else { continue }
                let client = try rig.connect()
                try client.send(vector.bytes)
                // The reset may be there before it.
                try? client.shutdownWriting()
                let answer = client.receive()
                #expect(answer.ending == .reset && answer.bytes.isEmpty, "\(vector)")
                try rig.recorder.expect(.rejected(.proxyProtocol), times: index + 1)
                let error = try #require(ProxyHeaderError(rawValue: reason))
                #expect(
                    rig.recorder.events.suffix(3) == [.opened, .headerFailed(error), .rejected(.proxyProtocol)],
                    "\(vector)")
            }
            #expect(gate.seen.isEmpty)
            #expect(rig.stream.openCount == 0)
        }
        #expect(server.accepted == 0)
    }

    @Test(arguments: ["PROXY TCP4 192.0.2.1 198.51.100.2 56324 443", "CRC32C between other TLVs"])
    func `a header may come a byte at a time, or be split anywhere`(name: String) async throws {
        let vector = try #require(HeaderVector.all.first { $0.name == name })
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required), hooks: Proxied.Gate().hooks) { rig in
            let slow = try rig.connect()
            for byte in vector.bytes + [0x21] {
                try slow.send([byte])
                // A turn for each byte, so that each is looked at by itself.
                rig.finishTurns()
            }
            #expect(slow.receive(1).text == "!")
            for cut in 1..<vector.bytes.count {
                let client = try rig.connect()
                try client.send(Array(vector.bytes[..<cut]))
                rig.finishTurns()
                try client.send(vector.bytes[cut...] + Array("rest".utf8))
                #expect(client.receive(4).text == "rest", "cut at \(cut)")
                client.close()
            }
            #expect(rig.recorder.events.allSatisfy { $0 != .rejected(.proxyProtocol) })
        }
    }

    @Test func `the whole header has five seconds, however slowly it comes, and others do not wait`() async throws {
        let server = try TCPServer.echo()
        try await withTCP(
            "\(server.endpoint)", settings: Proxied.tcp(.mixed), engine: EngineSetup(clock: TestClock()),
            hooks: Proxied.Gate().hooks
        ) { rig in
            let slow = try rig.connect()
            try rig.recorder.expect(.opened)
            for byte in Array("PROX".utf8) {
                rig.advance(by: .seconds(1))
                try slow.send([byte])
                rig.finishTurns()
                let other = try rig.connect()
                try other.send(try Proxied.header() + [0x3f])
                #expect(other.receive(1).text == "?")
            }
            #expect(!rig.recorder.events.contains(.timedOut(.proxyHeader)))
            rig.advance(by: .seconds(2))
            #expect(slow.receive().ending == .reset)
            try rig.recorder.expect(.rejected(.proxyProtocol))
            let events = rig.recorder.events.filter {
                [.timedOut(.proxyHeader), .headerFailed(.timeout), .rejected(.proxyProtocol)].contains($0)
            }
            #expect(events == [.timedOut(.proxyHeader), .headerFailed(.timeout), .rejected(.proxyProtocol)])
        }
    }

    /// Counts turns of all loops.
    private final class TurnCounter: EngineObserver {
        let turns = Atomic<Int>(0)

        func turned(worker: Int, busyNanoseconds: UInt64, timerLagNanoseconds: UInt64?) {
            turns.add(1, ordering: .relaxed)
        }
    }

    @Test func `half a header keeps no loop busy`() async throws {
        let server = try TCPServer.echo()
        let counter = TurnCounter()
        try await withTCP(
            "\(server.endpoint)", settings: Proxied.tcp(.required), engine: EngineSetup(observer: counter),
            hooks: Proxied.Gate().hooks
        ) { rig in
            let slow = try (0..<10).map { _ in try rig.connect() }
            for client in slow { try client.send("PROXY TCP4 192.0.2.1 ") }
            let other = try rig.connect()
            try other.send(try Proxied.header())
            let before = counter.turns.load(ordering: .relaxed)
            let rounds = 200
            for _ in 0..<rounds {
                try other.send("?")
                #expect(other.receive(1).text == "?")
            }
            // A few for each of them; a loop that cannot wait turns all the time that they take.
            #expect(counter.turns.load(ordering: .relaxed) - before < 8 * rounds)
            #expect(rig.stream.openCount == 11)
            withExtendedLifetime(slow) {}
        }
    }

    @Test func `a header that came in time leaves no timer behind`() async throws {
        let server = try TCPServer.echo()
        try await withTCP(
            "\(server.endpoint)", settings: Proxied.tcp(.required), engine: EngineSetup(clock: TestClock()),
            hooks: Proxied.Gate().hooks
        ) { rig in
            let client = try rig.connect()
            try client.send(try Proxied.header(.v1) + [0x3f])
            #expect(client.receive(1).text == "?")
            for _ in 0..<10 { rig.advance(by: .seconds(60)) }
            try client.send("!")
            #expect(client.receive(1).text == "!")
            #expect(rig.recorder.events == [.opened, .headerRead(.v1), .dialed(upstream: 0)])
        }
    }

    @Test func `a peer that is not trusted passes unread where that is allowed, and is refused where not`() async throws
    {
        let server = try TCPServer.echo()
        let header = try Proxied.header()
        let gate = Proxied.Gate()
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.mixed), hooks: gate.hooks) { rig in
            let client = try Client(to: rig.endpoint, from: Endpoint("127.0.0.9", 0))
            try client.send(header)
            #expect(client.receive(header.count).bytes == header)
            let own = try client.localEndpoint.description
            #expect(gate.seen.map(\.client) == [own])
        }
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required), hooks: gate.hooks) { rig in
            let client = try Client(to: rig.endpoint, from: Endpoint("127.0.0.9", 0))
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.rejected(.proxyProtocol))
            #expect(rig.recorder.events == [.opened, .headerFailed(.untrusted), .rejected(.proxyProtocol)])
        }
        // Where no hook decides, the proxies of the settings are trusted, and no others.
        var settings = Proxied.tcp(.required)
        settings.proxyProtocol.trustedProxies = [try IPPrefix(parsing: "127.0.0.8/30")]
        try await withTCP("\(server.endpoint)", settings: settings) { rig in
            let trusted = try Client(to: rig.endpoint, from: Endpoint("127.0.0.9", 0))
            try trusted.send(header + [0x21])
            #expect(trusted.receive(1).text == "!")
            let other = try rig.connect()
            #expect(other.receive().ending == .reset)
        }
        // Without a list of trusted proxies no peer is trusted.
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required)) { rig in
            let client = try rig.connect()
            #expect(client.receive().ending == .reset)
        }
        #expect(gate.seen.count == 1)
    }

    @Test func `the client that the header names is the one who is admitted, or not`() async throws {
        let server = try TCPServer.echo()
        let gate = Proxied.Gate(denying: "192.0.2.66")
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.mixed), hooks: gate.hooks) { rig in
            let denied = try rig.connect()
            try denied.send(try Proxied.header(from: "192.0.2.66:1"))
            #expect(denied.receive().ending == .reset)
            try rig.recorder.expect(.rejected(.acl))
            #expect(rig.recorder.events == [.opened, .headerRead(.v2), .rejected(.acl)])
            let allowed = try rig.connect()
            try allowed.send(try Proxied.header(from: "192.0.2.67:1") + [0x3f])
            #expect(allowed.receive(1).text == "?")
            #expect(gate.seen.map(\.client) == ["192.0.2.66:1", "192.0.2.67:1"])
        }
        #expect(server.accepted == 1)
    }

    @Test func `the hook before the dial sees the client, too`() async throws {
        let server = try TCPServer.echo()
        var hooks = Proxied.Gate().hooks
        let seen = Box<[String]>([])
        hooks.preDial = { request in
            seen.update { $0.append("\(request.clientAddress) \(request.peerAddress.ip)") }
            return .dial
        }
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required), hooks: hooks) { rig in
            let client = try rig.connect()
            try client.send(try Proxied.header() + [0x3f])
            #expect(client.receive(1).text == "?")
            #expect(seen.value == ["192.0.2.1:56324 127.0.0.1"])
        }
    }

    @Test func `a peer that ends before its first byte, with FIN or RST, is a probe and no bad header`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required), hooks: Proxied.Gate().hooks) { rig in
            let (ended, reset) = (try rig.connect(), try rig.connect())
            try rig.recorder.expect(.opened, times: 2)
            ended.close()
            try rig.recorder.expect(.rejected(.probe))
            try reset.reset()
            try rig.recorder.expect(.rejected(.probe), times: 2)
            // Both ways at once, so that both events may come together.
            try rig.whileHeld {
                try rig.connect().close()
                try rig.connect().reset()
            }
            try rig.recorder.expect(.rejected(.probe), times: 4)
            let half = try rig.connect()
            try half.send("P")
            half.close()
            try rig.recorder.expect(.rejected(.proxyProtocol))
            #expect(
                rig.recorder.count(.headerFailed(.truncated)) == 1 && rig.recorder.count(.headerFailed(.missing)) == 0)
            #expect(rig.stream.openCount == 0)
        }
        #expect(server.accepted == 0)
    }

    @Test func `a connection that waits for its header counts, and ends like any other`() async throws {
        let server = try TCPServer.echo()
        try await withTCP(
            "\(server.endpoint)", settings: Proxied.tcp(.required, maxConnections: 1),
            engine: EngineSetup(clock: TestClock()), hooks: Proxied.Gate().hooks
        ) { rig in
            let first = try rig.connect()
            try rig.recorder.expect(.opened)
            #expect(rig.stream.openCount == 1)
            #expect(try rig.connect().receive().ending == .reset)
            try rig.recorder.expect(.rejected(.routeLimit))
            // Gone within its header: nothing is known to be wrong with that.
            try first.send("PROXY")
            rig.finishTurns()
            try first.reset()
            try rig.recorder.expect(.closed(.clientReset))
            #expect(rig.stream.openCount == 0)
            let second = try rig.connect()
            try rig.recorder.expect(.opened, times: 3)
            try rig.close(drainTimeout: .seconds(2))
            rig.advance(by: .seconds(3))
            try rig.waitUntilClosed()
            #expect(second.receive().ending == .reset)
            #expect(rig.recorder.events.suffix(2) == [.timedOut(.drain), .closed(.drained)])
        }
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required), hooks: Proxied.Gate().hooks) { rig in
            let client = try rig.connect()
            try client.send("PROXY TCP4 ")
            try rig.recorder.expect(.opened)
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(client.receive().ending == .reset)
            #expect(rig.recorder.events == [.opened, .closed(.killed)])
        }
        #expect(server.accepted == 0)
    }

    @Test func `megabytes behind a header pass whole, as do the ends of both sides`() async throws {
        let server = try TCPServer.answeringAfterEnd { $0 }
        try await withTCP("\(server.endpoint)", settings: Proxied.tcp(.required), hooks: Proxied.Gate().hooks) { rig in
            let bytes = Pattern.bytes(8 << 20)
            let client = try rig.connect()
            let header = try Proxied.header()
            try inBackground {
                try client.send(header + bytes)
                try client.shutdownWriting()
            }
            #expect(client.receive().isWhole(bytes))
            // Header, payload and the end in one segment.
            let short = try rig.connect()
            try short.sendWithEnd(header + [1, 2, 3])
            #expect(short.receive().isWhole([1, 2, 3]))
        }
    }
}
