#if TLS
import Foundation
import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirStream
import WeirTLS

@Suite("Peers of TLS that do not play by the rules")
struct HostilePeerTests {
    let server: TLSServer

    init() throws {
        server = try #require(
            TLSServer(TLSServerSettings(), certificates: CertificateSet([TestAuthority.server.get()])))
    }

    private func makeEnd() throws -> (end: TLSEnd, peer: CInt) {
        let (number, peer) = try TLSEnd.pair()
        let recorder = TLSRecorder()
        return (TLSEnd(number, server.makeSession(worker: 0, observer: recorder), recorder), peer)
    }

    /// A hello of TLS 1.2 with one cipher and one group: those of a certificate for P-256 by default.
    private func hello(cipher: [UInt8] = [0xC0, 0x2B], group: [UInt8] = [0, 23]) -> [UInt8] {
        let groups: [UInt8] = [0, 10, 0, 4, 0, 2] + group
        let signatures: [UInt8] = [0, 13, 0, 4, 0, 2, 4, 3]
        let extensions = groups + signatures
        let body: [UInt8] =
            [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, 2] + cipher + [1, 0, 0, UInt8(extensions.count)]
            + extensions
        let message: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        return [22, 3, 1, 0, UInt8(message.count)] + message
    }

    private func send(_ bytes: [UInt8], to peer: CInt) { #expect(write(peer, bytes, bytes.count) == bytes.count) }

    /// Sends the bytes to a server, and a FIN behind them, and tells how the handshake ends.
    private func run(_ flights: [[UInt8]]) throws -> (HandshakeStep, [TLSFailure]) {
        let (end, peer) = try makeEnd()
        for flight in flights {
            send(flight, to: peer)
            for _ in 0..<5 { end.turn() }
        }
        shutdown(peer, CInt(SHUT_WR))
        try waitUntil("the handshake ends") {
            end.turn()
            return end.hasEnded
        }
        Glibc.close(peer)
        return (end.step, end.recorder.failures.withLock { $0 })
    }

    @Test("A client that resets before its first byte has only connected")
    func resetUnused() throws {
        let (end, peer) = try makeEnd()
        // Bytes that its peer has not read turn a close into a reset, also on a Unix socket.
        _ = [UInt8(1)].withUnsafeBytes { bytes in end.socket!.send(bytes) }
        Glibc.close(peer)
        end.turn()
        #expect(end.step == .unused)
        #expect(end.recorder.failures.withLock { $0 } == [])
    }

    @Test("A key that is no point of its curve is a fault of the protocol, whatever part of OpenSSL finds it")
    func badPoint() throws {
        // 65 bytes that are no point of P-256.
        let exchange: [UInt8] = [16, 0, 0, 66, 65, 4] + [UInt8](repeating: 0xEE, count: 64)
        let outcome = try run([hello(), [22, 3, 3, 0, UInt8(exchange.count)] + exchange])
        #expect(outcome == (.failed, [.protocol]))
    }

    @Test("Clients without a cipher, or without a group, in common have that reason")
    func nothingShared() throws {
        #expect(try run([hello(cipher: [0, 0x2F])]) == (.failed, [.cipher]))
        #expect(try run([hello(group: [0, 25])]) == (.failed, [.cipher]))
    }

    @Test("An alert in the middle of a handshake is told as one")
    func alert() throws {
        #expect(try run([hello(), [21, 3, 3, 0, 2, 2, 42]]) == (.failed, [.alert]))
    }

    @Test("A record longer than any may be, a heartbeat, and a message of no meaning are faults of the protocol")
    func badRecords() throws {
        for bytes: [UInt8] in [
            [22, 3, 3, 0x48, 1] + [UInt8](repeating: 1, count: 500), [24, 3, 3, 0, 3, 1, 0x40, 0],
            [22, 3, 3, 0, 4, 99, 0, 0, 0], [23, 3, 3, 0, 1, 1],
        ] {
            let outcome = try run([hello(), bytes])
            #expect(outcome.0 == .failed && outcome.1 == [.protocol], "\(bytes.prefix(9)): \(outcome)")
        }
    }

    @Test("A server without a name is not dialed while servers are verified")
    func nameless() throws {
        var settings = TLSClientSettings()
        settings.authorities = try TestAuthority.shared.get().certificate
        let verifying = try #require(TLSClient(settings, own: nil))
        settings.verifies = false
        let careless = try #require(TLSClient(settings, own: nil))
        for (client, isGood) in [(verifying, false), (careless, true)] {
            let (serverNumber, clientNumber) = try TLSEnd.pair()
            let serverRecorder = TLSRecorder()
            let server = TLSEnd(serverNumber, server.makeSession(worker: 0, observer: serverRecorder), serverRecorder)
            let recorder = TLSRecorder()
            let end = TLSEnd(
                clientNumber, client.makeSession(to: nil, port: 443, worker: 0, observer: recorder), recorder)
            try waitUntil("its handshake ends") {
                for _ in 0..<20 {
                    end.turn()
                    server.turn()
                }
                return end.hasEnded
            }
            #expect((end.step == .done) == isGood)
            #expect(recorder.failures.withLock { $0 } == (isGood ? [] : [.other]))
        }
    }

    @Test("Bytes that a server sent before it broke the connection are still read after the end was sent to it")
    func answerBehindAnError() throws {
        var settings = TLSClientSettings()
        settings.verifies = false
        let rig = try TLSRig(server, #require(TLSClient(settings, own: nil)))
        try rig.shake()
        try rig.talk()
        rig.server.queue([3, 4, 5])
        rig.server.turn()
        rig.server.close()
        // The end cannot be sent any more.
        rig.client.finish()
        try rig.run(until: "the bytes arrive") { $0.client.received == [2, 3, 4, 5] }
    }
}

@Suite("Keys of session tickets", .serialized)
struct TicketKeyTests {
    @Test("A ticket is opened for two hours at least after its key was replaced, and then no more")
    func rotation() throws {
        let server = try #require(
            TLSServer(TLSServerSettings(), certificates: CertificateSet([TestAuthority.server.get()])))
        var settings = TLSClientSettings()
        settings.verifies = false
        let client = try #require(TLSClient(settings, own: nil))
        func isResumed(by client: TLSClient) throws -> Bool {
            let rig = try TLSRig(server, client)
            try rig.shake()
            try rig.talk()
            return rig.server.session.isResumed
        }
        var seconds = Int64(MonotonicClock.system.nanoseconds / 1_000_000_000)
        func passHour() {
            for step: Int64 in [0, 61, 3_600 - 61] {
                seconds += step
                TicketKeys.follow(seconds: seconds)
            }
        }
        passHour()
        let old = try (0..<2).map { _ in
            let client = try #require(TLSClient(settings, own: nil))
            _ = try isResumed(by: client)
            return client
        }
        #expect(try !isResumed(by: client))
        #expect(try isResumed(by: client))
        for _ in 0..<2 { passHour() }
        #expect(try isResumed(by: old[0]))
        passHour()
        #expect(try !isResumed(by: old[1]))
        // The one that came back got a ticket of a newer key.
        #expect(try isResumed(by: old[0]))
        for _ in 0..<3 { passHour() }
        #expect(try !isResumed(by: old[0]))
    }
}
#endif
