import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct OpenStreamTests {
    /// A walk to its end.
    private static func all(_ engine: StreamEngine) throws -> (streams: [OpenStream], slices: Int) {
        try wait {
            var found: [OpenStream] = []
            var slices = 0
            var cursor: OpenStreamCursor?
            repeat {
                let (streams, next) = await engine.openStreams(from: cursor)
                found += streams
                slices += 1
                cursor = next
            } while cursor != nil
            return (found, slices)
        }
    }

    @Test func `what is open is told once, with its client, its upstream and its bytes`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            let clients = try (0..<40).map { _ in try rig.connect() }
            for (index, client) in clients.enumerated() {
                let text = String(repeating: "x", count: index + 1)
                try client.send(text)
                #expect(client.receive(index + 1).text == text)
            }
            rig.finishTurns()
            let (streams, slices) = try Self.all(rig.engine)
            #expect(slices == 2)
            #expect(Set(streams.map(\.id)).count == 40 && streams.count == 40)
            #expect(Set(streams.map(\.clientAddress.port)) == Set(try clients.map { try $0.localEndpoint.port }))
            #expect(streams.map(\.ingressBytes).sorted() == (1...40).map(UInt64.init))
            #expect(streams.allSatisfy { $0.ingressBytes == $0.egressBytes && $0.route == "test" })
            #expect(streams.allSatisfy { $0.upstream?.description == "\(server.endpoint)" && $0.transport == .tcp })
        }
    }

    @Test func `what is ended gets a reset, its reason is admin, and others live on`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            let (first, second) = (try rig.connect(), try rig.connect())
            for client in [first, second] {
                try client.send("a")
                #expect(client.receive(1).text == "a")
            }
            let port = try first.localEndpoint.port
            let wanted = try Self.all(rig.engine).streams.filter { $0.clientAddress.port == port }
            #expect(try wait { await rig.engine.end(wanted) } == 1)
            #expect(first.receive().ending == .reset)
            try rig.recorder.expect(.closed(.admin))
            // What has ended is not found again, also where another has its place.
            let third = try rig.connect()
            try third.send("b")
            #expect(third.receive(1).text == "b")
            #expect(try wait { await rig.engine.end(wanted) } == 0)
            for client in [second, third] {
                try client.send("c")
                #expect(client.receive(1).text == "c")
            }
            #expect(rig.recorder.count(.closed(.admin)) == 1)
        }
    }

    @Test func `sessions are told and ended likewise`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)") { rig in
            let client = try UDPSocket()
            try client.send([1, 2, 3], to: rig.endpoint)
            _ = try client.receive()
            rig.finishTurns()
            let streams = try Self.all(rig.engine).streams
            #expect(streams.count == 1 && streams[0].transport == .udp && streams[0].ingressBytes == 3)
            #expect(try wait { await rig.engine.end(streams) } == 1)
            try rig.recorder.expect(.sessionClosed(.admin))
            #expect(try Self.all(rig.engine).streams.isEmpty)
        }
    }

    @Test func `more than one slice holds are walked through in several`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 1)) { rig in
            let clients = try (0..<600).map { _ in try rig.connect() }
            try waitUntil("all are open") { rig.stream.openCount == 600 }
            rig.finishTurns()
            let (streams, slices) = try Self.all(rig.engine)
            #expect(streams.count == 600 && slices == 2)
            #expect(try wait { await rig.engine.end(streams) } == 600)
            try waitUntil("none is open") { rig.stream.openCount == 0 }
            withExtendedLifetime(clients) {}
        }
    }

    @Test func `between two slices bytes flow and clients go, and what stays is told once`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 1)) { rig in
            var clients = try (0..<1100).map { _ in try rig.connect() }
            try waitUntil("all are open") { rig.stream.openCount == 1100 }
            let ports = Set(try clients.map { try $0.localEndpoint.port })
            var (found, slices, gone) = ([OpenStream](), 0, Set<UInt16>())
            var cursor: OpenStreamCursor?
            repeat {
                let (streams, next) = try wait { [cursor] in await rig.engine.openStreams(from: cursor) }
                #expect(streams.count <= 512)
                found += streams
                slices += 1
                cursor = next
                // The worker is free meanwhile: an answer comes, and a client goes.
                try clients[0].send("a")
                #expect(clients[0].receive(1).text == "a")
                gone.insert(try clients.removeLast().localEndpoint.port)
                try waitUntil("it has gone") { rig.stream.openCount == 1100 - slices }
            } while cursor != nil
            #expect(slices >= 3)
            #expect(Set(found.map(\.id)).count == found.count, "none is told twice")
            #expect(Set(found.map(\.clientAddress.port)).isSuperset(of: ports.subtracting(gone)))
            // Those that have gone since they were told are no error.
            let ended = try wait { [found] in await rig.engine.end(found) }
            #expect(ended == 1100 - slices)
            try waitUntil("none is open") { rig.stream.openCount == 0 }
            withExtendedLifetime(clients) {}
        }
    }
}
