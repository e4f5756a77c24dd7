import TestSupport
import Testing
import WeirStream

/// A closed descriptor's number goes to the next socket at once, while events of the old one may still wait.
@Suite(.timeLimit(.minutes(1))) struct DescriptorReuseTests {
    /// Answers each connection's first eight bytes, which name it, and then resets or waits as the name says.
    private static func server(_ resets: Box<[TestConnection]>) throws -> TCPServer {
        try TCPServer { connection in
            let name = connection.receive(8)
            guard name.bytes.count == 8 else { return }
            if name.bytes[0] == UInt8(ascii: "r") { resets.update { $0.append(connection) } }
            try connection.send(name.bytes)
            // The test holds those that it will reset itself.
            if name.bytes[0] != UInt8(ascii: "r") { _ = connection.receive() }
        }
    }

    private static func name(_ kind: Character, _ number: Int) -> String {
        let digits = "\(number)"
        return "\(kind)" + String(repeating: "0", count: 7 - digits.count) + digits
    }

    @Test func `events of a connection that ended never reach the one that has its numbers now`() async throws {
        let upstreams = Box<[TestConnection]>([])
        let server = try Self.server(upstreams)
        let rounds = 300
        try await withTCP("\(server.endpoint)") { rig in
            for round in 0..<rounds {
                let old = try rig.connect()
                try old.send(Self.name("r", round))
                #expect(old.receive(8).text == Self.name("r", round))
                try waitUntil("the upstream's side is held") { upstreams.value.count == 1 }
                let upstream = upstreams.update { $0.removeFirst() }
                // One batch of events, in this order: one side is reset, which closes both sockets; a new connection
                // gets their numbers, and the slot; the reset of the other side is reported last.
                let new = try rig.whileHeld {
                    if round.isMultiple(of: 2) { try old.reset() } else { try upstream.reset() }
                    let new = try rig.connect()
                    if round.isMultiple(of: 2) { try upstream.reset() } else { try old.reset() }
                    return new
                }
                // Would be reset already if it were taken for the old one.
                try? new.send(Self.name("n", round))
                try #require(new.receive(8).text == Self.name("n", round))
                try new.shutdownWriting()
                #expect(new.receive().isWhole([]))
            }
            try rig.recorder.expect(.closed(.clientReset), times: rounds / 2)
            try rig.recorder.expect(.closed(.upstreamReset), times: rounds / 2)
            try rig.recorder.expect(.closed(.clientEOF), times: rounds)
            #expect(rig.recorder.count(.opened) == 2 * rounds)
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 2 * rounds)
            #expect(rig.recorder.totals.allSatisfy { $0.ingressBytes == 8 && $0.egressBytes == 8 })
        }
    }

    @Test(arguments: [1, 3])
    func `thousands of quick connections with resets keep every byte to themselves`(workers: Int) async throws {
        let server = try TCPServer { connection in
            // A connection that is asked for a reset sends its answer first.
            let name = connection.receive(8)
            guard name.bytes.count == 8 else { return }
            try connection.send(name.bytes)
            if name.bytes[0] == UInt8(ascii: "u") { try connection.reset() } else { _ = connection.receive() }
        }
        let (threads, each) = (4, 600)
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: workers)) { rig in
            let done = TestSemaphore()
            let wrong = Box<[String]>([])
            for thread in 0..<threads {
                try inBackground {
                    defer { done.signal() }
                    for number in 0..<each {
                        let kind: Character = ["u", "c", "e"][number % 3]
                        let name = Self.name(kind, thread * each + number)
                        let client = try rig.connect()
                        try client.send(name)
                        let answer = client.receive(8)
                        if answer.text != name { wrong.update { $0.append("\(name) got \(answer)") } }
                        switch kind {
                        case "u":
                            let rest = client.receive()
                            if !rest.bytes.isEmpty || rest.ending != .reset {
                                wrong.update { $0.append("\(name) ended with \(rest)") }
                            }
                        case "c": try client.reset()
                        default:
                            try client.shutdownWriting()
                            if !client.receive().isWhole([]) { wrong.update { $0.append("\(name) did not end") } }
                        }
                    }
                }
            }
            for _ in 0..<threads { done.wait() }
            #expect(wrong.value.isEmpty, "\(wrong.value.prefix(3))")
            let total = threads * each
            try waitUntil("all have ended") { rig.recorder.totals.count == total }
            for reason in [ConnectionCloseReason.upstreamReset, .clientReset, .clientEOF] {
                #expect(rig.recorder.count(.closed(reason)) == total / 3)
            }
            #expect(rig.recorder.totals.allSatisfy { $0.ingressBytes == 8 && $0.egressBytes == 8 })
        }
    }
}
