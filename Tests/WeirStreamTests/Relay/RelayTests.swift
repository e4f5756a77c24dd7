import Glibc
import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

/// Which sides of a relay a cipher encrypts.
enum Encryption: String, CaseIterable, Sendable {
    case none, client, upstream, both

    var isOnClient: Bool { self == .client || self == .both }
    var isOnUpstream: Bool { self == .upstream || self == .both }

    func makeRig(bufferMemory: Int = 1 << 20, bufferSize: Int? = nil) throws -> RelayRig {
        try RelayRig(
            bufferMemory: bufferMemory,
            client: isOnClient ? ToyCipher(key: 0x5a) : nil, clientPeer: isOnClient ? ToyCipher(key: 0x17) : nil,
            upstream: isOnUpstream ? ToyCipher(key: 0xc3) : nil,
            upstreamPeer: isOnUpstream ? ToyCipher(key: 0x71) : nil,
            bufferSize: bufferSize)
    }
}

/// The relay over sockets, without listener or engine; every test with bytes in clear and through a cipher on either
/// side.
@Suite(.timeLimit(.minutes(2))) struct RelayTests {
    @Test(arguments: Encryption.allCases)
    func `bytes go both ways, and an end is passed on while the other direction goes on`(encryption: Encryption) throws
    {
        let rig = try encryption.makeRig()
        defer { rig.close() }
        let (question, answer) = (Pattern.bytes(100_000, seed: 1), Pattern.bytes(150_000, seed: 2))
        rig.clientEnd.send(question, thenEnd: true)
        try rig.run(until: "the upstream has all, and the end") { $0.upstreamEnd.ending == .end }
        #expect(rig.upstreamEnd.received == question)
        #expect(rig.outcomes == [.halfClosed(.ingress)])
        #expect(rig.isHalfClosed)
        rig.upstreamEnd.send(answer, thenEnd: true)
        try rig.run(until: "the client has all, and the end") { $0.clientEnd.ending == .end }
        #expect(rig.clientEnd.received == answer)
        #expect(rig.outcomes == [.halfClosed(.ingress), .closed(first: .ingress)])
        #expect(rig.ingressByteCount == 100_000)
        #expect(rig.egressByteCount == 150_000)
        #expect(rig.discarded.isEmpty)
    }

    @Test(arguments: Encryption.allCases)
    func `the first end names the close, from either side`(encryption: Encryption) throws {
        let rig = try encryption.makeRig()
        defer { rig.close() }
        rig.upstreamEnd.send(Array("bye".utf8), thenEnd: true)
        try rig.run(until: "the client has the end") { $0.clientEnd.ending == .end }
        #expect(rig.outcomes == [.halfClosed(.egress)])
        rig.clientEnd.end()
        try rig.run(until: "it is closed") { $0.isDone }
        #expect(rig.outcomes == [.halfClosed(.egress), .closed(first: .egress)])
        #expect(rig.clientEnd.received == Array("bye".utf8))
    }

    @Test(arguments: Encryption.allCases)
    func `an upstream that answers and resets has its answer delivered, then the client is reset`(
        encryption: Encryption
    ) throws {
        let rig = try encryption.makeRig()
        defer { rig.close() }
        let answer = Pattern.bytes(200_000, seed: 3)
        rig.clientEnd.isReading = false
        rig.upstreamEnd.send(answer)
        try rig.run(until: "the answer is on its way") {
            $0.upstreamEnd.hasSentAll && $0.egressByteCount == 200_000
        }
        rig.upstreamEnd.reset()
        try rig.run(until: "the break is seen") { !$0.outcomes.isEmpty }
        rig.clientEnd.isReading = true
        try rig.run(until: "the client is reset") { $0.clientEnd.ending != nil }
        #expect(rig.clientEnd.received == answer)
        #expect(rig.clientEnd.ending == .broken)
        guard case .broken(let failure) = rig.outcomes.last else {
            Issue.record("\(rig.outcomes)")
            return
        }
        #expect(failure.party == .upstream)
        #expect(failure.error.code == ECONNRESET || failure.error.code == EPIPE)
        #expect(failure.isFlushed)
    }

    @Test(arguments: Encryption.allCases)
    func `bytes for a client that broke are counted as discarded, all of them`(encryption: Encryption) throws {
        let rig = try encryption.makeRig(bufferSize: 4_096)
        defer { rig.close() }
        rig.clientEnd.isReading = false
        rig.upstreamEnd.send(Pattern.bytes(500_000))
        try rig.run(until: "the client's socket is full") { $0.backpressureCount > 0 }
        let taken = rig.egressByteCount
        #expect(taken > 0)
        rig.clientEnd.reset()
        try rig.run(until: "the break is over") { $0.isDone }
        #expect(rig.egressByteCount >= taken)
        // A cipher has taken what it could not send: nothing else was read behind that.
        #expect(encryption.isOnClient || rig.discarded[.egress, default: 0] > 0)
        #expect(rig.egressByteCount == rig.reads[.egress, default: []].reduce(0) { $0 + UInt64($1) })
    }

    @Test(arguments: Encryption.allCases)
    func `a reader that pauses finds every byte in order, through backlog and short writes`(encryption: Encryption)
        throws
    {
        let rig = try encryption.makeRig(bufferSize: 4_096)
        defer { rig.close() }
        let sent = Pattern.bytes(300_000, seed: 4)
        rig.upstreamEnd.isReading = false
        rig.clientEnd.send(sent, thenEnd: true)
        try rig.run(until: "the upstream's socket is full") { $0.backpressureCount > 0 }
        rig.upstreamEnd.isReading = true
        try rig.run(until: "all is there") { $0.upstreamEnd.ending == .end }
        expectSame(rig.upstreamEnd.received, sent)
        #expect(rig.discarded.isEmpty)
    }

    @Test(arguments: Encryption.allCases)
    func `a pool without room holds up one flow only, and loses nothing`(encryption: Encryption) throws {
        // One slab is the least there is.
        let rig = try encryption.makeRig(bufferMemory: 1, bufferSize: 4_096)
        defer { rig.close() }
        let sent = Pattern.bytes(150_000, seed: 5)
        rig.upstreamEnd.isReading = false
        rig.clientEnd.send(sent, thenEnd: true)
        try rig.run(until: "the sink is full") { $0.backpressureCount > 0 }
        rig.upstreamEnd.isReading = true
        try rig.run(until: "all is there") { $0.upstreamEnd.ending == .end }
        expectSame(rig.upstreamEnd.received, sent)
        #expect(rig.ingressByteCount == 150_000)
    }

    @Test func `bulk is spliced where both channels can, and copied where one cannot`() throws {
        for encryption in Encryption.allCases {
            // No read can bring more than the buffer; a spliced piece can, where enough bytes have come: on a machine
            // that is busy perhaps not in the first round.
            var largest = 0
            for _ in 0..<(encryption == .none ? 20 : 1) where largest <= RelayResources.bufferSize {
                let rig = try encryption.makeRig()
                defer { rig.close() }
                // A cipher that is written to be read takes its time, and a sanitizer takes more.
                let sent = Pattern.bytes(encryption == .none ? 4 << 20 : 300_000, seed: 6)
                rig.clientEnd.send(sent, thenEnd: true)
                try rig.run(until: "all is there") { $0.upstreamEnd.ending == .end }
                expectSame(rig.upstreamEnd.received, sent)
                largest = max(largest, rig.reads[.ingress]?.max() ?? 0)
            }
            #expect((largest > RelayResources.bufferSize) == (encryption == .none))
        }
    }

    @Test(arguments: Encryption.allCases)
    func `a hook pauses one direction, and the other one goes on`(encryption: Encryption) throws {
        let rig = try encryption.makeRig()
        defer { rig.close() }
        rig.onRead = { _, direction in direction == .ingress ? .pause(.seconds(1)) : .forward }
        rig.clientEnd.send(Array("first".utf8))
        try rig.run(until: "the pause begins") { $0.paused == [.ingress] }
        #expect(rig.isPaused)
        rig.clientEnd.send(Array(" second".utf8), thenEnd: true)
        rig.upstreamEnd.send(Array("answer".utf8))
        try rig.run(until: "the answer is there") { $0.clientEnd.received.count == 6 }
        // What was read when the pause came is passed on; no more is read.
        #expect(rig.reads[.ingress]?.count == 1)
        #expect(rig.upstreamEnd.received == Array("first".utf8))
        rig.onRead = { _, _ in .forward }
        rig.resume(.ingress)
        try rig.run(until: "all is there") { $0.upstreamEnd.ending == .end }
        #expect(rig.upstreamEnd.received == Array("first second".utf8))
    }

    @Test(arguments: Encryption.allCases)
    func `nothing is read before it is granted, the first read included`(encryption: Encryption) throws {
        let rig = try encryption.makeRig()
        defer { rig.close() }
        let sent = Pattern.bytes(5_000)
        var granted = 0
        rig.mayRead = { $0 == .ingress ? min(granted, 700) : .max }
        rig.clientEnd.send(sent, thenEnd: true)
        try rig.run(until: "it waits") { $0.paused == [.ingress] }
        #expect(rig.ingressByteCount == 0)
        granted = .max
        rig.resume(.ingress)
        try rig.run(until: "all is there") { $0.upstreamEnd.ending == .end }
        expectSame(rig.upstreamEnd.received, sent)
        #expect(rig.reads[.ingress]?.max() == 700)
    }

    @Test func `a direction that is held back sees an end that nothing lies before`() throws {
        let rig = try RelayRig()
        defer { rig.close() }
        rig.onRead = { _, _ in .pause(.seconds(1)) }
        rig.clientEnd.send(Array("all".utf8))
        try rig.run(until: "the pause begins") { $0.paused == [.ingress] && $0.upstreamEnd.received.count == 3 }
        rig.clientEnd.end()
        try rig.run(until: "the end is passed on") { $0.upstreamEnd.ending == .end }
        #expect(rig.isPaused)
        #expect(rig.outcomes == [.halfClosed(.ingress)])
    }

    @Test func `a direction that is held back leaves bytes before an end where they are`() throws {
        let rig = try RelayRig()
        defer { rig.close() }
        rig.mayRead = { _ in 0 }
        rig.clientEnd.send(Array("rest".utf8), thenEnd: true)
        try rig.run(until: "it waits") { $0.paused == [.ingress] && $0.clientEnd.hasSentAll }
        for _ in 0..<20 { try rig.turn() }
        #expect(rig.outcomes.isEmpty)
        rig.mayRead = { _ in .max }
        rig.resume(.ingress)
        try rig.run(until: "all is there") { $0.upstreamEnd.ending == .end }
        #expect(rig.upstreamEnd.received == Array("rest".utf8))
    }

    @Test(arguments: [Relay.Party.client, .upstream])
    func `a reset is seen while its direction is held back, with bytes before it or not`(party: Relay.Party) throws {
        for bytes in [[], Array("unread".utf8)] {
            let rig = try RelayRig()
            defer { rig.close() }
            let end = party == .client ? rig.clientEnd : rig.upstreamEnd
            if bytes.isEmpty {
                rig.onRead = { _, _ in .pause(.seconds(1)) }
                end.send([1])
            } else {
                rig.mayRead = { _ in 0 }
                end.send(bytes)
            }
            try rig.run(until: "it is held back") { $0.isPaused }
            end.reset()
            try rig.run(until: "the reset is seen") { rig in
                rig.outcomes.contains { if case .broken(let failure) = $0 { failure.party == party } else { false } }
            }
            if !bytes.isEmpty {
                // What came before it may still be read, for as long as the owner waits.
                rig.mayRead = { _ in .max }
                rig.resume(party == .client ? .ingress : .egress)
                try rig.run(until: "the rest is there") { $0.isDone }
                let other = party == .client ? rig.upstreamEnd : rig.clientEnd
                try rig.run(until: "the other end has seen all") { _ in other.ending == .broken }
                #expect(other.received == bytes)
            } else {
                try rig.run(until: "it is over") { $0.isDone }
            }
            rig.close()
        }
    }

    @Test func `a limit holds up the end of a broken connection for half a second, and no longer`() {
        let deadline = FlushDeadline(reason: .clientReset, now: 0)
        func check(at milliseconds: UInt64, isThrottled: Bool) -> FlushDeadline.Verdict {
            deadline.check(
                now: milliseconds * 1_000_000, owedByteCount: 0, lastActivity: 0, isPaused: true,
                isThrottled: isThrottled)
        }
        #expect(check(at: 499, isThrottled: true) != .isOver)
        #expect(check(at: 501, isThrottled: false) != .isOver)
        #expect(check(at: 502, isThrottled: true) == .isOver)
    }

    @Test(arguments: Encryption.allCases)
    func `a hook stops the connection, and its last bytes go nowhere`(encryption: Encryption) throws {
        let rig = try encryption.makeRig()
        defer { rig.close() }
        rig.onRead = { count, _ in count == 4 ? .close : .forward }
        rig.clientEnd.send(Array("passed".utf8))
        try rig.run(until: "the first bytes are there") { $0.upstreamEnd.received.count == 6 }
        rig.clientEnd.send(Array("stop".utf8))
        try rig.run(until: "it is stopped") { $0.isDone }
        #expect(rig.outcomes == [.stopped(.ingress, discarded: 4)])
        try rig.run(until: "both sides are reset") {
            $0.clientEnd.ending == .broken && $0.upstreamEnd.ending == .broken
        }
        #expect(rig.upstreamEnd.received == Array("passed".utf8))
    }

    @Test func `no read brings more than the hook's bound, copied, spliced and peeked`() throws {
        for bufferMemory in [1 << 20, 1] {
            let rig = try Encryption.none.makeRig(bufferMemory: bufferMemory)
            defer { rig.close() }
            rig.maxReadByteCount = 10_000
            let sent = Pattern.bytes(2 << 20, seed: 7)
            rig.clientEnd.send(sent, thenEnd: true)
            try rig.run(until: "all is there") { $0.upstreamEnd.ending == .end }
            expectSame(rig.upstreamEnd.received, sent)
            #expect(rig.reads[.ingress]?.max() == 10_000)
        }
    }

    @Test func `bytes through a cipher differ on the wire, and an end within it is no end of the socket`() throws {
        let rig = try RelayRig(upstream: ToyCipher(key: 0xc3), upstreamPeer: ToyCipher(key: 0x71))
        defer { rig.close() }
        let question = Array("a question that everyone could read".utf8)
        rig.upstreamEnd.isReading = false
        rig.clientEnd.send(question, thenEnd: true)
        try rig.run(until: "the record and the end are there") { $0.upstreamEnd.wire().count == question.count + 4 }
        let wire = rig.upstreamEnd.wire()
        #expect(wire[0..<2] == [0, UInt8(question.count)])
        #expect(!wire.indices.contains { wire[$0...].starts(with: question.prefix(4)) })
        #expect(wire.suffix(2) == [0, 0])
        rig.upstreamEnd.isReading = true
        try rig.run(until: "it is read") { $0.upstreamEnd.ending == .end }
        #expect(rig.upstreamEnd.received == question)
        // The other direction of the same socket still carries bytes.
        rig.upstreamEnd.send(Array("answer".utf8), thenEnd: true)
        try rig.run(until: "it is closed") { $0.isDone }
        try rig.run(until: "the client has the end") { $0.clientEnd.ending == .end }
        #expect(rig.clientEnd.received == Array("answer".utf8))
    }
}
