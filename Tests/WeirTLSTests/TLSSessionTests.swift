#if TLS
import Foundation
import NetworkTypes
import TestSupport
import Testing
import WeirStream
import WeirTLS

@Suite("Sessions of TLS")
struct TLSSessionTests {
    let authority: TestAuthority

    init() throws { authority = try TestAuthority.shared.get() }

    func makeServer(
        _ certificates: [CertificateBytes]? = nil, _ change: (inout TLSServerSettings) -> Void = { _ in }
    ) throws -> TLSServer {
        var settings = TLSServerSettings()
        change(&settings)
        let set = try CertificateSet(certificates ?? [TestAuthority.server.get()])
        return try #require(TLSServer(settings, certificates: set))
    }

    func makeClient(
        own: CertificateBytes? = nil, _ change: (inout TLSClientSettings) -> Void = { _ in }
    ) throws -> TLSClient {
        var settings = TLSClientSettings()
        settings.authorities = authority.certificate
        change(&settings)
        return try #require(TLSClient(settings, own: own.map { try CertificateSet([$0]) }))
    }

    @Test("Bytes pass both ways, more than any buffer holds, and ends pass as half-closes")
    func bytes() throws {
        let rig = try TLSRig(makeServer(), makeClient())
        try rig.shake()
        #expect(rig.server.session.version == .tls13)
        #expect(rig.server.session.serverName == "a.example.net")
        let up = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let down = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        rig.client.queue(up)
        rig.server.queue(down)
        try rig.run(until: "all bytes") {
            $0.server.received.count == up.count && $0.client.received.count == down.count
        }
        #expect(rig.server.received == up && rig.client.received == down)
        rig.client.finish()
        try rig.run(until: "the end arrives") { $0.server.isEnded }
        rig.server.queue([1, 2, 3])
        try rig.run(until: "bytes pass against it") { $0.client.received.count == down.count + 3 }
        rig.server.finish()
        try rig.run(until: "the other end arrives") { $0.client.isEnded }
        #expect(rig.server.recorder.truncations.withLock { $0 } == 0)
        #expect(rig.server.recorder.successes.withLock { $0 } == [.client])
        #expect(rig.client.recorder.successes.withLock { $0 } == [.upstream])
    }

    @Test("A FIN without close_notify is told, and what came before it arrives")
    func truncated() throws {
        let rig = try TLSRig(makeServer(), makeClient())
        try rig.shake()
        rig.client.queue([1, 2, 3])
        rig.client.turn()
        rig.client.close()
        try rig.run(until: "the end arrives") { $0.server.isEnded }
        #expect(rig.server.received == [1, 2, 3])
        #expect(rig.server.recorder.truncations.withLock { $0 } == 1)
    }

    @Test("A client resumes at another context with the same verification, and at no other", arguments: [false, true])
    func resumption(isOld: Bool) throws {
        // Another context stands for another route, or another worker: keys are the process's.
        let first = try makeServer()
        let second = try makeServer()
        let verifying = try makeServer { $0.clientAuthorities = authority.certificate }
        let client = try makeClient()
        func attempt(_ server: TLSServer) throws -> TLSRig {
            let rig = try TLSRig(server, client)
            try rig.end()
            return rig
        }
        let new = try attempt(first)
        try new.talk()
        #expect(!new.server.session.isResumed)
        let resumed = try attempt(second)
        try resumed.talk()
        #expect(resumed.server.session.isResumed && resumed.client.session.isResumed)
        let refused = try attempt(verifying)
        #expect(refused.server.step == .failed)
        #expect(refused.server.recorder.failures.withLock { $0 } == [.noCertificate])
    }

    @Test("Every handshake behind the first one resumes, one after the other and many at once")
    func resumedAgainAndAgain() throws {
        let (server, client) = (try makeServer(), try makeClient())
        func shaken() throws -> TLSRig {
            let rig = try TLSRig(server, client)
            try rig.shake()
            return rig
        }
        try shaken().talk()
        for _ in 0..<6 {
            let rig = try shaken()
            #expect(rig.server.session.isResumed)
            try rig.talk()
        }
        // None of these has read a ticket before all have begun.
        let atOnce = try (0..<20).map { _ in try TLSRig(server, client) }
        for rig in atOnce {
            try rig.shake()
            #expect(rig.server.session.isResumed)
        }
    }

    @Test("A session with a client's certificate resumes with it, and opens no route of another authority")
    func verifiedResumption() throws {
        let other = try TestAuthority()
        let server = try makeServer { $0.clientAuthorities = authority.certificate }
        let foreign = try makeServer { $0.clientAuthorities = other.certificate }
        let client = try makeClient(own: try authority.make(["device-7.example.net"], common: "seven"))
        for isResumed in [false, true] {
            let rig = try TLSRig(server, client)
            try rig.shake()
            try rig.talk()
            #expect(rig.server.session.isResumed == isResumed)
            #expect(rig.server.session.peerName == "device-7.example.net")
            #expect(rig.server.session.hasPeerCertificate)
        }
        let rig = try TLSRig(foreign, client)
        try rig.end()
        #expect(rig.server.step == .failed)
        #expect(rig.server.recorder.failures.withLock { $0 } == [.unknownAuthority])
    }

    @Test("The certificate follows the name that the client asks for")
    func names() throws {
        let certificates = [
            try authority.make(["first.example.net"]),
            try authority.make(["Second.example.net", "*.apps.example.net"]),
            try authority.make(["second.example.net"], key: "rsa:2048"),
        ]
        let server = try makeServer(certificates)
        for (host, isGood) in [
            ("first.example.net", true), ("second.example.net", true), ("x.apps.example.net", true),
            ("SECOND.example.NET", true), ("y.x.apps.example.net", false), ("other.example.net", false),
        ] {
            let rig = try TLSRig(server, try makeClient(), to: host)
            try rig.end()
            #expect((rig.client.step == .done) == isGood, "\(host)")
            if !isGood { #expect(rig.client.recorder.failures.withLock { $0 } == [.name], "\(host)") }
        }
    }

    @Test("Upstreams are verified by name or address, never by their common name")
    func verification() throws {
        let rig = try TLSRig(makeServer(), makeClient(), to: "127.0.0.1")
        try rig.shake()
        let elsewhere = try TLSRig(makeServer(), makeClient(), to: "127.0.0.2")
        try elsewhere.end()
        #expect(elsewhere.client.recorder.failures.withLock { $0 } == [.name])
        #expect(elsewhere.server.recorder.failures.withLock { $0 } == [.alert])
        let nameless = try makeServer([authority.make([], common: "a.example.net")])
        let common = try TLSRig(nameless, makeClient())
        try common.end()
        #expect(common.client.recorder.failures.withLock { $0 } == [.name])
        let expired = try TLSRig(makeServer([authority.make(["a.example.net"], days: -1)]), makeClient())
        try expired.end()
        #expect(expired.client.recorder.failures.withLock { $0 } == [.expired])
        let other = try TestAuthority()
        let unknown = try TLSRig(makeServer([other.make(["a.example.net"])]), makeClient())
        try unknown.end()
        #expect(unknown.client.recorder.failures.withLock { $0 } == [.unknownAuthority])
        let careless = try TLSRig(
            makeServer([other.make(["b.example.net"], days: -1)]), makeClient { $0.verifies = false })
        try careless.shake()
        let renamed = try TLSRig(makeServer(), makeClient { $0.serverName = "a.example.net" }, to: "10.0.0.1")
        try renamed.shake()
    }

    @Test("Protocols are agreed on, and a client that offers others only is refused")
    func protocols() throws {
        let server = try makeServer { $0.protocols = ["mqtt", "h2"] }
        let rig = try TLSRig(server, makeClient { $0.protocols = ["h2", "mqtt"] })
        try rig.shake()
        #expect(rig.server.session.applicationProtocol == "mqtt")
        #expect(rig.client.session.applicationProtocol == "mqtt")
        let silent = try TLSRig(server, makeClient())
        try silent.shake()
        #expect(silent.server.session.applicationProtocol == "")
        let other = try TLSRig(server, makeClient { $0.protocols = ["imap"] })
        try other.end()
        #expect(other.server.recorder.failures.withLock { $0 } == [.protocol])
        #expect(other.client.recorder.failures.withLock { $0 } == [.alert])
    }

    @Test("A name that the route does not have is refused")
    func allowedNames() throws {
        let server = try makeServer { $0.allowedNames = ["a.example.net", "*.b.example.net"] }
        for (host, isGood) in [
            ("a.example.net", true), ("A.EXAMPLE.net", true), ("x.y.b.example.net", true), ("b.example.net", false),
            ("c.example.net", false), ("127.0.0.1", false),
        ] {
            let rig = try TLSRig(server, makeClient { $0.verifies = false }, to: host)
            try rig.end()
            #expect((rig.server.step == .done) == isGood, "\(host)")
            if !isGood { #expect(rig.server.recorder.failures.withLock { $0 } == [.name], "\(host)") }
        }
    }

    @Test("Other certificates are used by new handshakes, and open connections go on")
    func replacement() throws {
        let server = try makeServer()
        let old = try TLSRig(server, makeClient())
        try old.shake()
        server.use(try CertificateSet([authority.make(["new.example.net"])]))
        let new = try TLSRig(server, makeClient(), to: "new.example.net")
        try new.shake()
        try old.talk()
    }

    @Test("A client without a version in common is refused with that reason")
    func versions() throws {
        let server = try makeServer { $0.minimum = .tls13 }
        let (number, peer) = try TLSEnd.pair()
        let recorder = TLSRecorder()
        let end = TLSEnd(number, server.makeSession(worker: 0, observer: recorder), recorder)
        // A hello of TLS 1.2 without extensions: one cipher, no compression.
        let body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, 2, 0xC0, 0x2B, 1, 0]
        let message: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        let record: [UInt8] = [22, 3, 1, 0, UInt8(message.count)] + message
        #expect(write(peer, record, record.count) == record.count)
        try waitUntil("it ends") {
            end.turn()
            return end.hasEnded
        }
        #expect(recorder.failures.withLock { $0 } == [.version])
        var alert = [UInt8](repeating: 0, count: 16)
        #expect(read(peer, &alert, 16) == 7 && alert[0] == 21 && alert[6] == 70)
        Glibc.close(peer)
    }

    @Test("Garbage, a stop in the middle, an end before the first byte and an alert have their reasons")
    func brokenClients() throws {
        let server = try makeServer()
        func run(_ bytes: [UInt8], isClosed: Bool) throws -> (HandshakeStep, [TLSFailure]) {
            let (number, peer) = try TLSEnd.pair()
            let recorder = TLSRecorder()
            let end = TLSEnd(number, server.makeSession(worker: 0, observer: recorder), recorder)
            #expect(write(peer, bytes, bytes.count) == bytes.count)
            if isClosed { shutdown(peer, CInt(SHUT_WR)) }
            for _ in 0..<10 { end.turn() }
            Glibc.close(peer)
            return (end.step, recorder.failures.withLock { $0 })
        }
        #expect(try run(Array("GET / HTTP/1.1\r\n\r\n".utf8), isClosed: false) == (.failed, [.protocol]))
        #expect(try run([UInt8](repeating: 0xAA, count: 5_000), isClosed: false) == (.failed, [.protocol]))
        #expect(try run([22, 3, 1, 2, 0, 1, 0], isClosed: true) == (.failed, [.closed]))
        #expect(try run([22, 3, 1, 2, 0, 1, 0], isClosed: false) == (.waiting, []))
        #expect(try run([], isClosed: true) == (.unused, []))
        let alerted = try run([21, 3, 1, 0, 2, 2, 40], isClosed: false)
        #expect(alerted.0 == .failed && alerted.1 == [.protocol])
    }

    @Test("A client whose bytes come one by one is served")
    func slowClient() throws {
        let server = try makeServer()
        let (number, relayed) = try TLSEnd.pair()
        let (outer, clientNumber) = try TLSEnd.pair()
        let serverRecorder = TLSRecorder()
        let clientRecorder = TLSRecorder()
        let end = TLSEnd(number, server.makeSession(worker: 0, observer: serverRecorder), serverRecorder)
        let client = TLSEnd(
            clientNumber,
            try makeClient().makeSession(
                to: "a.example.net", port: 1, worker: 0, observer: clientRecorder),
            clientRecorder)
        client.queue([1, 2, 3])
        try waitUntil("the bytes arrive") {
            for _ in 0..<20 {
                client.turn()
                var byte: UInt8 = 0
                if read(outer, &byte, 1) == 1 { #expect(write(relayed, &byte, 1) == 1) }
                end.turn()
                if read(relayed, &byte, 1) == 1 { #expect(write(outer, &byte, 1) == 1) }
            }
            return end.received == [1, 2, 3]
        }
        Glibc.close(relayed)
        Glibc.close(outer)
    }

    @Test("Bytes that were changed on the way break the connection, and nothing of them is given")
    func tampering() throws {
        let rig = try TLSRig(makeServer(), makeClient())
        try rig.shake()
        try rig.talk()
        let forged: [UInt8] = [23, 3, 3, 0, 30] + [UInt8](repeating: 9, count: 30)
        let written = forged.withUnsafeBytes { bytes in rig.client.socket!.send(bytes) }
        guard case .bytes(35) = written else { throw WrongAnswer("\(written)") }
        try rig.run(until: "it breaks") { $0.server.error != nil }
        #expect(rig.server.error?.code == EPROTO)
        #expect(rig.server.received == [1])
        try rig.run(until: "the client gets the alert") { $0.client.error != nil || $0.client.isEnded }
        #expect(rig.client.error?.code == ECONNRESET)
    }
}

@Suite("Files of certificates")
struct CertificateSetTests {
    @Test("What is wrong with them is told")
    func problems() throws {
        let authority = try TestAuthority.shared.get()
        let good = try TestAuthority.server.get()
        let other = try authority.make(["b.example.net"])
        func problem(_ chain: [UInt8], _ key: [UInt8]) -> CertificateProblem? {
            do throws(CertificateProblem) {
                _ = try CertificateSet([CertificateBytes(chain: chain, key: key)])
                return nil
            } catch { return error }
        }
        #expect(problem(good.chain, good.key) == nil)
        #expect(problem([], good.key) == .noCertificate)
        #expect(problem(good.key, good.key) == .noCertificate)
        #expect(problem(Array(good.chain.prefix(300)), good.key) == .unreadableCertificate)
        #expect(problem(good.chain, []) == .noKey)
        #expect(problem(good.chain, Array(good.key.dropLast(100))) == .unreadableKey)
        #expect(problem(good.chain, other.key) == .mismatch)
        #expect(problem(authority.certificate, good.key) == .noLeaf)
        #expect(problem(authority.certificate + good.chain, good.key) == .leafNotFirst)
        try authority.folder.write("plain.key", good.key)
        let encrypted = try ChildProcess.run(
            "openssl",
            ["pkcs8", "-topk8", "-in", authority.folder.file("plain.key"), "-passout", "pass:secret"])
        #expect(problem(good.chain, Array(encrypted.output.utf8)) == .encryptedKey)
        let weak = try? authority.make(["w.example.net"], key: "rsa:1024")
        if let weak { #expect(problem(weak.chain, weak.key) == .refused) }
    }

    @Test("Names and ends are told")
    func facts() throws {
        let set = try CertificateSet([TestAuthority.server.get()])
        #expect(set.names(at: 0) == "a.example.net,127.0.0.1")
        let days = (Double(set.expiry(at: 0)) - Date().timeIntervalSince1970) / 86_400
        #expect((9.9...10.1).contains(days))
        #expect(set.expiry(at: 1) == 0)
    }
}
#endif
