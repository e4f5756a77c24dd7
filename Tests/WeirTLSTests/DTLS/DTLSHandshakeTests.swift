#if TLS
import NetworkTypes
import TestSupport
import Testing
import WeirTLS

@Suite("Associations of DTLS between ends of our own")
struct DTLSHandshakeTests {
    @Test("Both ends prove who they are, no flight is fragmented, and data flows both ways")
    func handshake() throws {
        let (server, client) = try DTLSRig.mutual(
            serverProtocols: ["weir-agent/1"], clientProtocols: ["weir-agent/1"], repetition: .seconds(60))
        let rig = try DTLSRig(server, client)
        try rig.shake()
        let other = try #require(rig.server).session
        for session in [rig.client.session, other] {
            #expect(session.applicationProtocol == "weir-agent/1")
            #expect(session.cipher == "ECDHE-ECDSA-AES128-GCM-SHA256")
            #expect(session.peerName == "a.example.net")
            #expect(session.peerFingerprint.count == 32)
            #expect(session.repetitionDelay == nil)
        }
        #expect(other.serverName == "a.example.net")
        // Two hellos, the request between them, and three flights: one datagram each.
        #expect(rig.datagramSizes.count == 6 && rig.datagramSizes.allSatisfy { $0 <= 1_232 }, "\(rig.datagramSizes)")
        #expect(rig.carries())
    }

    @Test("A client without protocols, and one with others, meet a server that has one")
    func protocols() throws {
        let (server, plain) = try DTLSRig.mutual(serverProtocols: ["weir-agent/1"])
        let rig = try DTLSRig(server, plain)
        try rig.shake()
        #expect(rig.client.session.applicationProtocol == "")
        let (_, other) = try DTLSRig.mutual(clientProtocols: ["h2"])
        let refused = try DTLSRig(server, other)
        try refused.run(until: "the client is refused") { $0.client.state == .failed }
        #expect(refused.client.session.alert == 120)
    }

    @Test("Handshakes and data survive loss, doubling and reordering", arguments: [5, 20])
    func lossyLink(percent: Int) throws {
        let (server, client) = try DTLSRig.mutual()
        for seed in 0..<UInt64(fuzzRounds(6)) {
            let rig = try DTLSRig(server, client)
            rig.toServer = SeededLink(seed: seed, percent: percent)
            rig.toClient = SeededLink(seed: seed ^ 0xFFFF, percent: percent)
            try rig.shake()
            let sent = (0..<60).map { number in [UInt8(number)] + [UInt8](repeating: 7, count: number * 20) }
            for data in sent {
                rig.sendToServer(data: data)
                rig.sendToClient(data: data)
            }
            for received in [rig.client.received, rig.server?.received ?? []] {
                #expect(Set(received).count == received.count, "seed \(seed): a record came twice")
                #expect(Set(received).isSubset(of: sent), "seed \(seed): other data than was sent")
                #expect(received.count > 20, "seed \(seed): only \(received.count) of 60 records came")
            }
        }
    }

    @Test("A flight without an answer is repeated after the time of the settings, then after more")
    func repetitions() throws {
        let (_, client) = try DTLSRig.mutual(repetition: .seconds(60))
        let patient = try #require(client.connect(to: "a.example.net"))
        #expect(try #require(patient.repetitionDelay) > .seconds(30))
        let (_, other) = try DTLSRig.mutual(repetition: .milliseconds(20))
        let end = DTLSEnd(try #require(other.connect(to: "a.example.net")))
        let hello = end.take()
        var longest = Duration.zero
        for _ in 0..<4 {
            try waitUntil("the hello is repeated", deadline: .seconds(20)) {
                longest = max(longest, end.session.repetitionDelay ?? .zero)
                end.repeatIfDue()
                let repeated = end.take()
                #expect(repeated.isEmpty || repeated.map { $0[11...] } == hello.map { $0[11...] })
                return !repeated.isEmpty
            }
        }
        #expect(longest <= .milliseconds(160))
    }

    @Test("Repeated flights are one datagram each, too")
    func repeatedFlights() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        var seen: [Int: Int] = [:]
        // The first of each size is lost: the first copy of each flight.
        rig.tamper = { datagram, _ in
            seen[datagram.count / 32, default: 0] += 1
            return seen[datagram.count / 32] == 1 ? [] : [datagram]
        }
        try rig.shake()
        #expect(rig.datagramSizes.allSatisfy { $0 <= 1_232 && $0 >= 45 }, "\(rig.datagramSizes)")
        #expect(rig.carries())
    }

    @Test("The last flight is sent again to a client that has not got it")
    func lastFlightLost() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        var isLost = false
        rig.tamper = { [unowned rig] datagram, isToServer in
            guard !isToServer, rig.server?.state == .open, !isLost else { return [datagram] }
            isLost = true
            return []
        }
        try rig.shake()
        #expect(isLost && rig.carries())
    }

    @Test("A certificate that the server refuses is told to the client, though its alert is not encrypted")
    func refusedClients() throws {
        let foreign = try TestAuthority()
        let server = try DTLSRig.server(CertificateSet([TestAuthority.server.get()]))
        let expired = try TestAuthority.shared.get().make(["a.example.net"], days: -1)
        for (certificate, reason, alert) in [
            (try foreign.make(["a.example.net"]), TLSFailure.unknownAuthority, 48), (expired, .expired, 45),
            (nil, .noCertificate, 40),
        ] {
            let client = try DTLSRig.client(certificate.map { try CertificateSet([$0]) })
            let rig = try DTLSRig(server, client)
            try rig.run(until: "\(reason)") { $0.client.state == .failed && $0.server?.state == .failed }
            #expect(rig.server?.session.failure == reason)
            #expect(rig.client.session.failure == .alert)
            #expect(rig.client.session.alert == UInt8(alert))
            #expect(rig.client.seal([1]) == nil && rig.server?.seal([1]) == nil)
        }
    }

    @Test("A server is refused that has another authority, another name, or a certificate that has ended")
    func refusedServers() throws {
        let authority = try TestAuthority.shared.get()
        let own = try CertificateSet([TestAuthority.server.get()])
        for (certificate, reason) in [
            (try TestAuthority().make(["a.example.net"]), TLSFailure.unknownAuthority),
            (try authority.make(["b.example.net"]), .name), (try authority.make(["a.example.net"], days: -1), .expired),
        ] {
            let rig = try DTLSRig(DTLSRig.server(CertificateSet([certificate])), DTLSRig.client(own))
            try rig.run(until: "\(reason)") { $0.client.state == .failed }
            #expect(rig.client.session.failure == reason)
            #expect(rig.server?.state != .open)
        }
    }

    @Test("A client whose certificate is no pin is refused")
    func pins() throws {
        let set = try CertificateSet([TestAuthority.server.get()])
        let server = try DTLSRig.server(set, pins: [[UInt8](repeating: 1, count: 32)])
        let rig = try DTLSRig(server, DTLSRig.client(set))
        try rig.run(until: "the client is refused") { $0.client.state == .failed }
        #expect(rig.client.session.alert == 44)
    }

    @Test("A certificate for RSA has no cipher, and authorities are not optional")
    func unusableSettings() throws {
        let rsa = try CertificateSet([TestAuthority.shared.get().make(["a.example.net"], key: "rsa:2048")])
        let rig = try DTLSRig(DTLSRig.server(rsa), DTLSRig.client(rsa))
        try rig.run(until: "there is no cipher") { $0.server?.state == .failed }
        #expect(rig.server?.session.failure == .cipher)
        #expect(DTLSServer(TLSServerSettings(), certificates: rsa) == nil)
        #expect(DTLSClient(TLSClientSettings(), own: rsa) == nil)
    }

    @Test("close_notify ends the association of the peer, once, and nothing can be sent behind it")
    func ends() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        try rig.shake()
        rig.client.session.finish()
        rig.client.session.finish()
        let farewell = rig.client.take()
        #expect(farewell.count == 1)
        #expect(rig.client.seal([1]) == nil)
        for datagram in farewell + farewell { rig.arrive(datagram) }
        #expect(rig.server?.state == .ended)
        #expect(rig.server?.seal([1]) == nil)
        #expect(rig.server?.take() == [])
    }

    @Test("Data of no length, and of more than a record has, cannot be sent; the longest can")
    func lengths() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        #expect(rig.client.seal([1]) == nil)
        try rig.shake()
        #expect(rig.client.seal([]) == nil)
        #expect(rig.client.seal([UInt8](repeating: 1, count: DTLSSession.maxDataLength + 1)) == nil)
        let longest = [UInt8](repeating: 1, count: DTLSSession.maxDataLength)
        rig.sendToServer(data: longest)
        #expect(rig.server?.received == [longest])
        var narrow = [UInt8](repeating: 0, count: DTLSSession.overhead)
        let result = [UInt8(1)].withUnsafeBytes { data in
            narrow.withUnsafeMutableBytes { rig.client.session.send(data, into: $0) }
        }
        #expect(result == .unfit)
        #expect(rig.carries())
    }

    @Test("Several records in one datagram are all read")
    func severalRecords() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        try rig.shake()
        rig.arrive((0..<20).flatMap { rig.client.seal([$0, 9]) ?? [] })
        #expect(rig.server?.received == (0..<20).map { [$0, 9] })
    }
}
#endif
