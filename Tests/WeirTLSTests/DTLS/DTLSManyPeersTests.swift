#if TLS
import NetworkTypes
import TestSupport
import Testing
import WeirTLS

/// A server's socket with many clients, as the engine puts it together: cookies, table, sessions.
private final class ServerSide {
    private let cookies: HelloCookies
    private let server: DTLSServer
    private(set) var table: AssociationTable<DTLSEnd>
    private var now: UInt64 = 0

    init(_ server: DTLSServer, maxOpen: Int, maxHandshakes: Int) throws {
        cookies = try #require(HelloCookies())
        self.server = server
        table = AssociationTable(maxOpen: maxOpen, maxHandshakes: maxHandshakes)
    }

    /// Takes a datagram, and returns those that answer it.
    func take(_ datagram: [UInt8], of path: AssociationPath) -> [[UInt8]] {
        now += 1
        switch cookies.judge(datagram.span, of: path, seconds: 1_000) {
        case .ask(let answer): return [answer]
        case .proven(let cookie):
            if let known = table.find(path, cookie: cookie) { return give(datagram, to: known) }
            guard let session = datagram.withUnsafeBytes({ server.accept(hello: $0) }) else { return [] }
            let end = DTLSEnd(session)
            _ = table.begin(end, on: path, cookie: cookie, at: now)
            return end.take()
        case .malformed: return []
        case .other:
            let (open, handshake) = table.find(path)
            return [open, handshake].compactMap(\.self).flatMap { give(datagram, to: $0) }
        }
    }

    private func give(_ datagram: [UInt8], to id: AssociationTable<DTLSEnd>.ID) -> [[UInt8]] {
        guard let end = table[id] else { return [] }
        let count = end.received.count
        switch end.give(datagram) {
        case .handshaking: break
        case .open:
            _ = table.open(id, at: now)
            if end.received.count > count { table.touch(id, at: now) }
        case .ended, .failed: table.remove(id)
        }
        return end.take()
    }
}

@Suite("Many peers of DTLS on one socket")
struct DTLSManyPeersTests {
    private func makeServer(maxOpen: Int = 8, maxHandshakes: Int = 4) throws -> (ServerSide, DTLSClient) {
        let (server, client) = try DTLSRig.mutual(repetition: .seconds(60))
        return (try ServerSide(server, maxOpen: maxOpen, maxHandshakes: maxHandshakes), client)
    }

    private func path(_ port: UInt16) -> AssociationPath {
        AssociationPath(peer: SocketAddress(.loopbackIPv4, port: port), local: .loopbackIPv4)
    }

    private func shake(_ client: DTLSEnd, _ server: ServerSide, _ path: AssociationPath) {
        for _ in 0..<6 {
            for datagram in client.take() { for answer in server.take(datagram, of: path) { client.give(answer) } }
        }
    }

    @Test("Each client has its own association, and the records of one mean nothing to the other")
    func clientsApart() throws {
        let (server, client) = try makeServer()
        let ends = try (0..<5).map { _ in DTLSEnd(try #require(client.connect(to: "a.example.net"))) }
        for (index, end) in ends.enumerated() { shake(end, server, path(UInt16(index))) }
        #expect(ends.allSatisfy { $0.state == .open } && server.table.openCount == 5)
        for (index, end) in ends.enumerated() {
            let record = try #require(end.seal([UInt8(index)]))
            for other in 0..<5 { _ = server.take(record, of: path(UInt16(other))) }
            let own = try #require(server.table.find(path(UInt16(index))).open)
            #expect(server.table[own]?.received == [[UInt8(index)]])
        }
    }

    @Test("A client that has lost its keys replaces its association when its handshake is over, and not before")
    func restartedClient() throws {
        let (server, client) = try makeServer()
        let old = DTLSEnd(try #require(client.connect(to: "a.example.net")))
        shake(old, server, path(1))
        let oldServerEnd = try #require(server.table.find(path(1)).open.flatMap { server.table[$0] })
        let new = DTLSEnd(try #require(client.connect(to: "a.example.net")))
        // To the cookie and the server's flight.
        for _ in 0..<2 {
            for datagram in new.take() { for answer in server.take(datagram, of: path(1)) { new.give(answer) } }
        }
        #expect(server.table.handshakeCount == 1)
        _ = server.take(try #require(old.seal([7])), of: path(1))
        #expect(oldServerEnd.received == [[7]])
        shake(new, server, path(1))
        #expect(new.state == .open && (server.table.openCount, server.table.handshakeCount) == (1, 0))
        _ = server.take(try #require(old.seal([8])), of: path(1))
        _ = server.take(try #require(new.seal([9])), of: path(1))
        let newServerEnd = try #require(server.table.find(path(1)).open.flatMap { server.table[$0] })
        #expect(oldServerEnd.received == [[7]] && newServerEnd.received == [[9]])
    }

    @Test("A flood of first hellos leaves no trace")
    func flood() throws {
        let (server, client) = try makeServer()
        let end = DTLSEnd(try #require(client.connect(to: "a.example.net")))
        let hello = try #require(end.take().first)
        for number in 0..<UInt16(fuzzRounds(2_000)) {
            let answers = server.take(hello, of: path(number))
            #expect(answers.count == 1 && answers[0].count < hello.count)
        }
        #expect((server.table.openCount, server.table.handshakeCount) == (0, 0))
    }

    @Test("Clients without a certificate, at addresses of their own, displace none that has one")
    func strangers() throws {
        let (server, client) = try makeServer(maxOpen: 1)
        let good = DTLSEnd(try #require(client.connect(to: "a.example.net")))
        shake(good, server, path(1))
        let nameless = try DTLSRig.client(nil, repetition: .seconds(60))
        for port: UInt16 in 10..<30 {
            let stranger = DTLSEnd(try #require(nameless.connect(to: "a.example.net")))
            if port % 2 == 0 {
                shake(stranger, server, path(port))
            } else {
                // Stays in the middle of its handshake.
                for _ in 0..<2 {
                    for datagram in stranger.take() {
                        for answer in server.take(datagram, of: path(port)) { stranger.give(answer) }
                    }
                }
            }
            #expect(stranger.state != .open && server.table.handshakeCount <= 4)
        }
        _ = server.take(try #require(good.seal([5])), of: path(1))
        let end = try #require(server.table.find(path(1)).open.flatMap { server.table[$0] })
        #expect(end.received == [[5]])
    }
}
#endif
