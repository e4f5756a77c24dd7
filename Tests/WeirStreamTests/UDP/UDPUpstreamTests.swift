import LinuxIO
import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPUpstreamTests {
    @Test func `a dead upstream is counted, and when it comes back the next datagram passes`() async throws {
        let port = try Ports.free()
        try await withUDP("127.0.0.1:\(port)") { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused))
            try client.send([2], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused), times: 2)
            // Errors do not end the session, and they are no drops: the datagrams left.
            #expect(rig.recorder.count(.opened) == 1)
            #expect(rig.stream.openCount == 1)
            let server = try UDPServer.echo(port: port)
            try client.send([3], to: rig.endpoint)
            #expect(try client.receive().bytes == [3])
            #expect(rig.recorder.count(.opened) == 1)
            #expect(server.received == 1)
        }
    }

    @Test func `an error that is pending does not swallow the datagram that meets it`() async throws {
        let port = try Ports.free()
        try await withUDP("127.0.0.1:\(port)") { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused))
            let got = Box<[[UInt8]]>([])
            let server = try UDPServer(port: port) { datagram in
                got.update { $0.append(datagram.bytes) }
                return []
            }
            for number in 2...6 { try client.send([UInt8(number)], to: rig.endpoint) }
            try waitUntil("all have come") { got.value.count == 5 }
            #expect(got.value == [[2], [3], [4], [5], [6]])
            #expect(server.received == 5)
        }
    }

    @Test func `localhost with IPv6 first reaches a server on IPv4 only with the first datagram`() async throws {
        let server = try UDPServer.echo()
        let resolver = TableResolver(["localhost": ["::1", "127.0.0.1"]])
        try await withUDP("localhost:\(server.port)", engine: EngineSetup(resolver: resolver)) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            #expect(try client.receive().bytes == [1])
            try client.send([2], to: rig.endpoint)
            #expect(try client.receive().bytes == [2])
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `a session follows its name to another address, in place`() async throws {
        let first = try UDPServer { _ in [[1]] }
        let second = try UDPServer(host: "127.0.0.2", port: first.port) { _ in [[2]] }
        let resolver = TableResolver(["moving.example": ["127.0.0.1"]])
        let setup = EngineSetup(
            resolver: resolver, resolveInterval: .milliseconds(5), minResolveInterval: .milliseconds(1))
        try await withUDP("moving.example:\(first.port)", engine: setup) { rig in
            let client = try UDPSocket()
            try client.send([0], to: rig.endpoint)
            #expect(try client.receive().bytes == [1])
            resolver.set("moving.example", ["127.0.0.2"])
            try first.stop()
            try client.setTimeouts(seconds: 1)
            try waitUntil("the second address answers") {
                try client.send([0], to: rig.endpoint)
                return (try? client.receive().bytes) == [2]
            }
            #expect(rig.recorder.count(.opened) == 1)
            #expect(second.received >= 1)
        }
    }

    @Test func `a name without an address rejects the session, and datagrams are counted`() async throws {
        let resolver = TableResolver([:])
        try await withUDP("nowhere.example:53", engine: EngineSetup(resolver: resolver)) { rig in
            try rig.recorder.expect(.resolved(upstream: 0, .dnsNotFound))
            // The first may still wait for the answer; the others are rejected as they come. Each is counted.
            let clients = try (0..<3).map { _ in try UDPSocket() }
            for client in clients { try client.send([1], to: rig.endpoint) }
            try rig.recorder.expect(.rejected(.noUpstream), times: 3)
            rig.finishTurns()
            #expect(rig.recorder.count(.dialFailed(upstream: 0, .dnsNotFound)) == 3)
            #expect(rig.recorder.dropped(.ingress, .noUpstream) == 3)
            #expect(rig.stream.openCount == 0)
        }
    }

    @Test func `datagrams wait for a slow name, in order and bounded`() async throws {
        let got = Box<[UInt8]>([])
        let server = try UDPServer { datagram in
            got.update { $0.append(datagram.bytes.first ?? 0) }
            return []
        }
        let resolver = HangingResolver(answer: ["127.0.0.1"])
        defer { resolver.letGo() }
        try await withUDP("slow.example:\(server.port)", engine: EngineSetup(resolver: resolver)) { rig in
            let client = try UDPSocket()
            for number in 0..<70 { try client.send([UInt8(number)], to: rig.endpoint) }
            try waitUntil("what does not fit is dropped") { rig.recorder.dropped(.ingress, .queueFull) == 6 }
            resolver.letGo()
            try waitUntil("the others arrive") { got.value.count == 64 }
            #expect(got.value == Array(0..<64))
            try rig.recorder.expectForwarded(.ingress, 64)
        }
    }

    @Test func `a name that resolves to one of our listeners is rejected as a loop`() async throws {
        let resolver = TableResolver(["me.example": ["127.0.0.1"]])
        let port = try Ports.free()
        try await withUDP(
            "me.example:\(port)", listen: "udp://127.0.0.1:\(port)", engine: EngineSetup(resolver: resolver)
        ) { rig in
            try UDPSocket().send([1], to: rig.endpoint)
            try rig.recorder.expect(.rejected(.noUpstream))
            #expect(rig.recorder.count(.dialFailed(upstream: 0, .loop)) == 1)
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `a question without an answer is told to the policy once, where the upstream had answered before`()
        async throws
    {
        let upstream = try CollectingUpstream()
        let account = SelectorAccount()
        let hooks = StreamHooks(makeSelector: account.makeSelector)
        try await withUDP(
            "\(upstream.server.endpoint)", engine: EngineSetup(clock: TestClock()), hooks: hooks
        ) { rig in
            let client = try UDPSocket()
            var asked = 0
            func ask() throws {
                asked += 1
                try client.send([UInt8(asked)], to: rig.endpoint)
                #expect(try upstream.payloads(atLeast: asked).count == asked)
                rig.finishTurns()
            }
            func answer() throws {
                try upstream.server.send([9], to: try upstream.session())
                #expect(try client.receive().bytes == [9])
                rig.finishTurns()
            }
            // Never answered: that says nothing.
            try ask()
            rig.advance(by: .seconds(2))
            try ask()
            try answer()
            #expect(account[0] == [.chosen, .connected, .answered])
            try ask()
            rig.advance(by: .milliseconds(900))
            try ask()
            #expect(account[0].count == 3)
            rig.advance(by: .milliseconds(200))
            for _ in 0..<3 { try ask() }
            #expect(account[0].dropFirst(3) == [.leftUnanswered])
            try answer()
            #expect(account[0].dropFirst(3) == [.leftUnanswered, .answeredAgain])
            // Answers soon after one another are told once.
            for _ in 0..<3 {
                try ask()
                try answer()
            }
            #expect(account[0].count == 5)
            rig.advance(by: .milliseconds(300))
            try ask()
            try answer()
            #expect(account[0].dropFirst(5) == [.answeredAgain])
        }
    }
}
