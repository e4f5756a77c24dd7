import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

/// PROXY headers in front of the datagrams of trusted peers.
@Suite(.timeLimit(.minutes(1))) struct UDPProxyHeaderTests {
    @Test(arguments: HeaderVector.datagrams)
    func `every header names the client, or its datagram is dropped`(vector: HeaderVector) async throws {
        let server = try UDPServer.echo()
        let gate = Proxied.Gate()
        for headers in [DatagramHeaders.first, .each] {
            let before = gate.seen.count
            try await withUDP("\(server.endpoint)", settings: Proxied.udp(.required, headers), hooks: gate.hooks) {
                rig in
                let client = try UDPSocket()
                try client.send(vector.bytes + (vector.isAccepted ? Array("ping".utf8) : []), to: rig.endpoint)
                let peer = "127.0.0.1:\(try client.localEndpoint.port)"
                if case .refused(let reason) = vector.outcome {
                    let error = try #require(ProxyHeaderError(rawValue: reason))
                    try rig.recorder.expect(.dropped(.ingress, .error, 1))
                    #expect(rig.recorder.events == [.headerFailed(error), .dropped(.ingress, .error, 1)])
                    #expect(rig.stream.openCount == 0)
                    return
                }
                // The answer goes to who sent the question.
                #expect(try client.receive().bytes == Array("ping".utf8))
                let seen = try #require(gate.seen.dropFirst(before).first)
                if case .client(let source, let destination) = vector.outcome {
                    #expect(seen == .init(client: source, local: destination, peer: peer))
                } else {
                    #expect(seen == .init(client: peer, local: rig.endpoint.description, peer: peer))
                }
                #expect(rig.recorder.events.prefix(3) == [.headerRead(.v2), .opened, .dialed(upstream: 0)])
                #expect(rig.recorder.forwardedBytes(.ingress) == 4)
            }
        }
    }

    @Test func `behind a first header a session's datagrams are payload, whatever they look like`() async throws {
        let upstream = try CollectingUpstream()
        let gate = Proxied.Gate()
        try await withUDP("\(upstream.server.endpoint)", settings: Proxied.udp(.required), hooks: gate.hooks) { rig in
            let client = try UDPSocket()
            let forged = try Proxied.datagramHeader(from: "203.0.113.9:9")
            try rig.whileHeld {
                try client.send(try Proxied.datagramHeader() + [1], to: rig.endpoint)
                try client.send([2], to: rig.endpoint)
                try client.send(forged + [3], to: rig.endpoint)
            }
            expectSame(try upstream.payloads(atLeast: 3), [[1], [2], forged + [3]])
            #expect(gate.seen.map(\.client) == ["192.0.2.1:56324"])
            #expect(rig.recorder.count(.headerRead(.v2)) == 1)
            // A session that is over leaves nothing behind: the next one needs its header.
            try rig.kill()
        }
    }

    @Test func `a peer whose first header was read is remembered when it was denied, evicted or its session is over`()
        async throws
    {
        let upstream = try CollectingUpstream()
        let gate = Proxied.Gate(denying: "192.0.2.13")
        var settings = Proxied.udp(.required)
        settings.maxSessions = 1
        settings.unassuredTimeout = .seconds(10)
        settings.idleTimeout = .seconds(10)
        try await withUDP(
            "\(upstream.server.endpoint)", settings: settings, engine: EngineSetup(clock: TestClock()),
            hooks: gate.hooks
        ) { rig in
            let forged = try Proxied.datagramHeader(from: "203.0.113.9:9")
            let (denied, evicted, idle) = (try UDPSocket(), try UDPSocket(), try UDPSocket())
            try denied.send(try Proxied.datagramHeader(from: "192.0.2.13:5") + [1], to: rig.endpoint)
            try rig.recorder.expect(.dropped(.ingress, .acl, 1))
            try evicted.send(try Proxied.datagramHeader(from: "192.0.2.14:5") + [2], to: rig.endpoint)
            expectSame(try upstream.payloads(atLeast: 1), [[2]])
            try idle.send(try Proxied.datagramHeader(from: "192.0.2.15:5") + [3], to: rig.endpoint)
            try rig.recorder.expect(.sessionClosed(.evicted))
            rig.advance(by: .seconds(11))
            try rig.recorder.expect(.sessionClosed(.idle))
            for socket in [denied, evicted, idle] {
                // Payload, a header and what looks like none: all the same.
                try socket.send([9], to: rig.endpoint)
                try socket.send(forged + [9], to: rig.endpoint)
            }
            try waitUntil("all six are dropped") { rig.recorder.dropped(.ingress, .staleSession) == 6 }
            #expect(gate.seen.map(\.client) == ["192.0.2.13:5", "192.0.2.14:5", "192.0.2.15:5"])
            #expect(rig.recorder.count(.headerRead(.v2)) == 3)
            // Another port is another peer.
            let other = try UDPSocket()
            try other.send(try Proxied.datagramHeader(from: "192.0.2.16:5") + [4], to: rig.endpoint)
            try waitUntil("it is read") { gate.seen.count == 4 }
        }
    }

    @Test func `a full table of such peers drops new ones unread, and knows the old ones`() throws {
        func mark(_ port: UInt16) throws -> HeaderedPeers.Mark {
            let peer = try #require(SocketAddress("192.0.2.1:\(port)"))
            return HeaderedPeers.Mark(key: SessionKey(peer: peer, localIP: .loopbackIPv4, scope: 0), port: 53)
        }
        var peers = HeaderedPeers(capacity: 2)
        let hour = HeaderedPeers.silence
        func holds(_ port: UInt16, at now: UInt64) throws -> Bool { peers.holds(try mark(port), now: now) }
        func hasRoom(at now: UInt64) -> Bool { peers.hasRoom(now: now) }
        for port in [1, 2] as [UInt16] {
            #expect(try !holds(port, at: hour))
            #expect(hasRoom(at: hour))
            peers.insert(try mark(port))
        }
        #expect(!hasRoom(at: 3 * hour))
        peers.sessionEnded(try mark(1), now: 3 * hour)
        #expect(!hasRoom(at: 4 * hour - 1))
        #expect(try holds(1, at: 4 * hour - 1))
        // It was heard: its time begins anew.
        #expect(!hasRoom(at: 4 * hour + second))
        #expect(hasRoom(at: 5 * hour))
        #expect(try !holds(1, at: 5 * hour))
        // One with a session is never silent.
        #expect(try holds(2, at: 9 * hour))
    }

    private let second: UInt64 = 1_000_000_000

    @Test func `with a header each, one peer brings many clients, each with a session of its own`() async throws {
        let server = try UDPServer.echo()
        let gate = Proxied.Gate(denying: "192.0.2.13")
        try await withUDP("\(server.endpoint)", settings: Proxied.udp(.required, .each), hooks: gate.hooks) { rig in
            let proxy = try UDPSocket()
            for round in UInt8(0)..<3 {
                for host in UInt8(10)..<14 {
                    try proxy.send(
                        try Proxied.datagramHeader(from: "192.0.2.\(host):5000") + [host, round], to: rig.endpoint)
                }
                var answers: Set<[UInt8]> = []
                for _ in 0..<3 { answers.insert(try proxy.receive().bytes) }
                #expect(answers == [[10, round], [11, round], [12, round]])
            }
            // The denied client's last datagram has no answer to wait for.
            try waitUntil("its three are dropped") { rig.recorder.dropped(.ingress, .acl) == 3 }
            #expect(rig.stream.openCount == 3)
            #expect(rig.recorder.count(.headerRead(.v2)) == 12)
            // Judged once; what the denied client sends then is only counted.
            #expect(rig.recorder.count(.rejected(.acl)) == 1)
            // Here a datagram without one is none.
            try proxy.send([1], to: rig.endpoint)
            try rig.recorder.expect(.headerFailed(.missing))
            // The same client behind another proxy is another session: its answers go there.
            let other = try UDPSocket()
            try other.send(try Proxied.datagramHeader(from: "192.0.2.10:5000") + [77], to: rig.endpoint)
            #expect(try other.receive().bytes == [77])
            #expect(rig.stream.openCount == 4)
            try rig.close(drainTimeout: .zero)
            try rig.waitUntilClosed()
            #expect(rig.stream.openCount == 0)
        }
    }

    @Test func `a peer that is not trusted passes unread where that is allowed, and is dropped where not`()
        async throws
    {
        let server = try UDPServer.echo()
        let header = try Proxied.datagramHeader()
        for headers in [DatagramHeaders.first, .each] {
            try await withUDP(
                "\(server.endpoint)", settings: Proxied.udp(.mixed, headers), hooks: Proxied.Gate().hooks
            ) { rig in
                let client = try UDPSocket(bindingTo: Endpoint("127.0.0.9", 0))
                for _ in 0..<2 {
                    try client.send(header, to: rig.endpoint)
                    #expect(try client.receive().bytes == header)
                }
                #expect(rig.stream.openCount == 1)
            }
            try await withUDP(
                "\(server.endpoint)", settings: Proxied.udp(.required, headers), hooks: Proxied.Gate().hooks
            ) { rig in
                let client = try UDPSocket(bindingTo: Endpoint("127.0.0.9", 0))
                for _ in 0..<3 { try client.send(header, to: rig.endpoint) }
                try rig.recorder.expect(.dropped(.ingress, .error, 1), times: 3)
                #expect(rig.recorder.count(.headerFailed(.untrusted)) == 3)
                #expect(rig.recorder.count(.opened) == 0)
            }
        }
    }

    @Test func `one stream's headers are what another one reads`() async throws {
        let server = try UDPServer.echo()
        let gate = Proxied.Gate()
        for headers in [DatagramHeaders.first, .each] {
            let before = gate.seen.count
            try await withUDP("\(server.endpoint)", settings: Proxied.udp(.required, headers), hooks: gate.hooks) {
                inner in
                let isDone = Box(false)
                try wait {
                    try await withUDP("\(inner.endpoint)", settings: Proxied.relaying(headers)) { outer in
                        let client = try UDPSocket()
                        let sizes = [1, 0, 1_200, 1_200, 60_000]
                        for size in sizes {
                            let bytes = Pattern.bytes(size)
                            try client.send(bytes, to: outer.endpoint)
                            expectSame(try client.receive().bytes, bytes)
                        }
                        let own = "127.0.0.1:\(try client.localEndpoint.port)"
                        #expect(gate.seen.dropFirst(before).map(\.client) == [own])
                        #expect(gate.seen.last?.local == outer.endpoint.description)
                        isDone.set(true)
                    }
                }
                #expect(isDone.value)
                #expect(inner.recorder.forwardedBytes(.ingress) == 62_401)
            }
        }
    }
}
