import TestSupport
import Testing
import WeirStream

/// A route that knows how many replies a datagram has ends a session when all of them have come, and not before.
@Suite(.timeLimit(.minutes(2))) struct UDPResponsesTests {
    private static func settings(_ responses: Int) -> UDPSettings {
        var settings = UDPSettings()
        settings.responses = responses
        return settings
    }

    @Test func `both questions of a resolver, from one port, have their answers`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", settings: Self.settings(1)) { rig in
            for number in 0..<1_000 {
                let client = try UDPSocket()
                let questions = [UInt8(28), 1].map { [$0, UInt8(number % 256)] }
                for question in questions { try client.send(question, to: rig.endpoint) }
                // Where the first answer leaves before the second question comes, that has a session of its own.
                let answers = try [client.receive().bytes, client.receive().bytes]
                #expect(Set(answers) == Set(questions))
            }
            try waitUntil("every session is over") { rig.stream.openCount == 0 }
            #expect(rig.recorder.forwarded(.egress) == 2_000)
            #expect(rig.recorder.dropped(.ingress) + rig.recorder.dropped(.egress) == 0)
            #expect(rig.recorder.count(.sessionClosed(.responses)) == rig.recorder.count(.opened))
        }
    }

    @Test func `an answer that comes long after another one is waited for`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", settings: Self.settings(1)) { rig in
            let client = try UDPSocket()
            for question in [UInt8(1), 2, 3] { try client.send([question], to: rig.endpoint) }
            _ = try upstream.payloads(atLeast: 3)
            let session = try upstream.session()
            for answer in [UInt8(3), 1, 2] {
                #expect(rig.recorder.count(.sessionClosed(.responses)) == 0)
                try upstream.server.send([answer], to: session)
                #expect(try client.receive().bytes == [answer])
            }
            try rig.recorder.expect(.sessionClosed(.responses))
            #expect(rig.recorder.totals.map(\.egressDatagrams) == [3])
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test(arguments: [(1, 1, 20), (1, 1, 200), (3, 2, 64), (3, 2, 65), (64, 1, 128), (70, 2, 300)])
    func `of more answers than are owed as many pass, and the others are dropped by name`(
        responses: Int, questions: Int, answers: Int
    ) async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", settings: Self.settings(responses)) { rig in
            let client = try UDPSocket()
            for question in 0..<questions { try client.send([UInt8(question)], to: rig.endpoint) }
            _ = try upstream.payloads(atLeast: questions)
            let session = try upstream.session()
            try rig.whileHeld {
                for answer in 0..<answers { try upstream.server.send([UInt8(answer % 256)], to: session) }
            }
            try rig.recorder.expect(.sessionClosed(.responses))
            let owed = responses * questions
            for answer in 0..<owed { #expect(try client.receive().bytes == [UInt8(answer % 256)]) }
            #expect(!client.isReadable())
            #expect(rig.recorder.forwarded(.egress) == owed)
            #expect(rig.recorder.dropped(.egress, .responses) == answers - owed)
            #expect(rig.recorder.dropped(.egress) == answers - owed)
            #expect(rig.recorder.totals.map(\.egressDatagrams) == [UInt64(owed)])
        }
    }

    @Test func `a question that was sent again, to another upstream, has one answer`() async throws {
        let dead = try Endpoint("127.0.0.1", Ports.free())
        let server = try UDPServer.echo()
        try await withUDP("\(dead)", "\(server.endpoint)", settings: Self.settings(1)) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            #expect(try client.receive().bytes == [1])
            try rig.recorder.expect(.sessionClosed(.responses))
            #expect(rig.recorder.count(.upstreamFailed(.refused)) == 1)
            #expect(rig.recorder.totals.map(\.ingressDatagrams) == [2])
        }
    }

    @Test func `an answer that a limit drops is an answer`() async throws {
        let server = try UDPServer.echo()
        let hooks = StreamHooks(policeDatagram: { _, direction, _ in direction == .ingress })
        try await withUDP("\(server.endpoint)", settings: Self.settings(1), hooks: hooks) { rig in
            try UDPSocket().send([1], to: rig.endpoint)
            try rig.recorder.expect(.sessionClosed(.responses))
            #expect(rig.recorder.dropped(.egress, .bandwidth) == 1)
        }
    }

    @Test(arguments: [Int.max, 0, -1]) func `no number of replies traps`(responses: Int) async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", settings: Self.settings(responses)) { rig in
            let client = try UDPSocket()
            for question in [UInt8(1), 2] {
                try client.send([question], to: rig.endpoint)
                #expect(try client.receive().bytes == [question])
            }
        }
    }
}
