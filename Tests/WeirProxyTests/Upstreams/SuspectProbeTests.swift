import NetworkTypes
import TestSupport
import Testing

@testable import WeirProxy

/// A probe must not blame an upstream for what this machine lacks, or for a client's reset.
struct SuspectProbeTests {
    private static func isCleared(_ host: String, _ port: UInt16) async throws -> Bool {
        await SuspectProbe.connect(to: try Upstream(host: host, port: port))
    }

    @Test func `a server that waits, or greets, is cleared`() async throws {
        let silent = try TCPServer.echo()
        #expect(try await Self.isCleared("127.0.0.1", silent.port))
        let greeting = try TCPServer { connection in
            try connection.send("220 ready\r\n")
            _ = connection.receive()
        }
        #expect(try await Self.isCleared("127.0.0.1", greeting.port))
    }

    @Test(arguments: [false, true])
    func `a server that ends or resets a silent connection is not cleared`(resets: Bool) async throws {
        let server = try TCPServer { connection in
            if resets { try connection.reset() } else { connection.close() }
        }
        // On a busy machine the server may be later than a probe waits.
        var isCleared = true
        for _ in 0..<100 where isCleared { isCleared = try await Self.isCleared("127.0.0.1", server.port) }
        #expect(!isCleared)
    }

    @Test(arguments: ["127.0.0.1", "no-such-host.invalid"])
    func `a refused connection and a name without an address are the upstream's`(host: String) async throws {
        let isCleared = try await Self.isCleared(host, try Ports.free())
        #expect(!isCleared)
    }

    @Test func `it comes from the source of dials`() async throws {
        let peers = Shared<Set<String>>([])
        let server = try TCPServer { connection in
            let peer = try connection.peerEndpoint.host
            peers.withLock { _ = $0.insert(peer) }
            _ = connection.receive()
        }
        let upstream = try Upstream(host: "127.0.0.1", port: server.port)
        let sources = ["127.0.0.9", "192.0.2.10", "::1"].map { DialSource([ScopedAddress($0)].compactMap(\.self)) }
        #expect(await SuspectProbe.connect(to: upstream, from: sources[0]))
        #expect(peers.withLock { $0 } == ["127.0.0.9"])
        // A source that this machine does not have says nothing of the upstream, and no other one is taken.
        for source in sources[1...] { #expect(await SuspectProbe.connect(to: upstream, from: source)) }
        #expect(server.accepted == 1)
    }

    @Test func `what this machine cannot dial says nothing of the upstream`() async throws {
        // A link-local address without its interface: connect(2) fails with EINVAL.
        #expect(try await Self.isCleared("fe80::1", 9))
    }
}
