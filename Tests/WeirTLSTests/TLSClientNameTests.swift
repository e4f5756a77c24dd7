#if TLS
import Foundation
import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirTLS

/// Certificates and names of clients, as rules, headers and logs see them.
@Suite("Clients of TLS, and what they have proved")
struct TLSClientNameTests {
    let authority: TestAuthority

    init() throws { authority = try TestAuthority.shared.get() }

    private func makeServer(_ change: (inout TLSServerSettings) -> Void = { _ in }) throws -> TLSServer {
        var settings = TLSServerSettings()
        change(&settings)
        return try #require(TLSServer(settings, certificates: CertificateSet([TestAuthority.server.get()])))
    }

    private func makeClient(
        own: CertificateBytes? = nil, _ change: (inout TLSClientSettings) -> Void = { _ in }
    ) throws -> TLSClient {
        var settings = TLSClientSettings()
        settings.authorities = authority.certificate
        change(&settings)
        return try #require(TLSClient(settings, own: own.map { try CertificateSet([$0]) }))
    }

    @Test("All DNS names of a verified certificate are told, in lower case, also at resumption; a common name is none")
    func peerNames() throws {
        let server = try makeServer { $0.clientAuthorities = authority.certificate }
        let names = (1...300).map { "Device-\($0).example.net" }
        let client = try makeClient(own: try authority.make(names + ["127.0.0.1"], common: "seven.example.net"))
        for isResumed in [false, true] {
            let rig = try TLSRig(server, client)
            try rig.shake()
            try rig.talk()
            #expect(rig.server.session.isResumed == isResumed)
            #expect(rig.server.session.peerNames == names.map { $0.lowercased() })
            #expect(rig.server.session.peerCommonName == "seven.example.net")
        }
        let nameless = try TLSRig(server, makeClient(own: try authority.make([], common: "seven.example.net")))
        try nameless.shake()
        #expect(nameless.server.session.hasPeerCertificate && nameless.server.session.peerNames == [])
        let peer = try #require(nameless.server.session.facts?.peer)
        #expect(peer.name == "seven.example.net" && peer.commonName == "seven.example.net")
    }

    @Test("A name that is longer than any can be is not told")
    func longNames() throws {
        let server = try makeServer { $0.clientAuthorities = authority.certificate }
        let name = String(repeating: "a.", count: 126)
        let own = try authority.make([name + "b", name + "bc", "device-7.example.net"])
        let rig = try TLSRig(server, makeClient(own: own))
        try rig.shake()
        #expect(rig.server.session.peerNames == [name + "b", "device-7.example.net"])
    }

    @Test("A fingerprint is that of a verified certificate, and of no other")
    func fingerprints() throws {
        let server = try makeServer { $0.clientAuthorities = authority.certificate }
        let own = try authority.make(["device-7.example.net"])
        for verifies in [true, false] {
            let rig = try TLSRig(server, makeClient(own: own) { $0.verifies = verifies })
            try rig.shake()
            #expect(rig.server.session.peerFingerprint.count == 32)
            #expect(rig.client.session.peerFingerprint.count == (verifies ? 32 : 0))
        }
    }

    @Test("Facts are those of the handshake")
    func facts() throws {
        let server = try makeServer { $0.protocols = ["mqtt"] }
        let rig = try TLSRig(server, makeClient { $0.protocols = ["x", "mqtt"] })
        try rig.shake()
        let facts = try #require(rig.server.session.facts)
        #expect(facts.serverName == "a.example.net" && facts.applicationProtocol == "mqtt")
        #expect(facts.version == .tls13 && !facts.isResumed && facts.peer == nil)
        #expect(facts.cipher.hasPrefix("TLS_"))
    }

    @Test("A certificate may be asked for and not demanded; one that cannot be verified is refused")
    func optional() throws {
        let server = try makeServer {
            $0.clientAuthorities = authority.certificate
            $0.demandsCertificate = false
        }
        let without = try TLSRig(server, makeClient())
        try without.shake()
        #expect(!without.server.session.hasPeerCertificate && without.server.session.facts?.peer == nil)
        let with = try TLSRig(server, makeClient(own: try authority.make(["device-7.example.net"])))
        try with.shake()
        #expect(with.server.session.hasPeerCertificate)
        let foreign = try TLSRig(server, makeClient(own: try TestAuthority().make(["device-7.example.net"])))
        try foreign.end()
        #expect(foreign.server.step == .failed)
        #expect(foreign.server.recorder.failures.withLock { $0 } == [.unknownAuthority])
    }

    @Test("A session that began without a certificate, where none is demanded, opens nothing that demands one")
    func optionalTicket() throws {
        let asking = try makeServer {
            $0.clientAuthorities = authority.certificate
            $0.demandsCertificate = false
        }
        let demanding = try makeServer { $0.clientAuthorities = authority.certificate }
        let client = try makeClient()
        for isResumed in [false, true] {
            let rig = try TLSRig(asking, client)
            try rig.shake()
            try rig.talk()
            #expect(rig.server.session.isResumed == isResumed)
        }
        let rig = try TLSRig(demanding, client)
        try rig.end()
        #expect(rig.server.step == .failed)
        #expect(rig.server.recorder.failures.withLock { $0 } == [.noCertificate])
    }

    @Test(
        "A hello with another name than the one that was read in it is refused",
        arguments: [
            ("a.example.net", "a.example.net", true), ("A.Example.Net", "a.example.net", true),
            ("a.example.net", "b.example.net", false), ("a.example.net", "", false), ("127.0.0.1", "", true),
            ("127.0.0.1", "a.example.net", false), ("a.example.net", "a.example.ne", false),
        ])
    func expected(asked: String, expected: String, isGood: Bool) throws {
        let rig = try TLSRig(makeServer(), makeClient(), to: asked)
        rig.server.session.expect(serverName: Array(expected.utf8))
        try rig.end()
        #expect((rig.server.step == .done) == isGood)
        if !isGood { #expect(rig.server.recorder.failures.withLock { $0 } == [.name]) }
    }

    @Test("A client that does not resume looks at the server's certificate each time")
    func fullHandshakes() throws {
        let (server, client) = (try makeServer(), try makeClient())
        try TLSRig(server, client).talkAfterShake()
        let (serverNumber, clientNumber) = try TLSEnd.pair()
        let (serverRecorder, clientRecorder) = (TLSRecorder(), TLSRecorder())
        let ends = (
            TLSEnd(serverNumber, server.makeSession(worker: 0, observer: serverRecorder), serverRecorder),
            TLSEnd(
                clientNumber,
                client.makeSession(to: "a.example.net", port: 443, resumes: false, worker: 0, observer: clientRecorder),
                clientRecorder)
        )
        try waitUntil("both have shaken hands") {
            ends.1.turn()
            ends.0.turn()
            return ends.0.step == .done && ends.1.step == .done
        }
        #expect(!ends.0.session.isResumed)
    }
}

extension TLSRig {
    fileprivate func talkAfterShake() throws {
        try shake()
        try talk()
    }
}
#endif
