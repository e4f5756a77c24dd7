import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Resets stay resets")
    struct ResetTests {
        @Test("an upstream that answers and resets with unread input: the client gets the answer, then the reset")
        func upstreamResets() throws {
            let answer = Pattern.bytes(32_768)
            let server = try TCPServer.resettingAfterAnswer(answer, unread: 1_000)
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("rst", port, to: server.port))
            for _ in 0..<20 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send(Pattern.bytes(1_001))
                let received = client.receive()
                expectBytes(received.bytes, answer)
                #expect(received.ending == .reset)
            }
            let samples = try weir.scrapeWhenIdle("rst")
            #expect(samples.closed("rst", "upstream_reset") == 20)
            #expect(samples.bytes("rst", "egress") == 20 * answer.count)
            #expect(samples.bytes("rst", "ingress") == 20 * 1_001)
        }

        @Test("the same for a client that starts to read only after the reset")
        func slowReaderGetsTheAnswer() throws {
            let answer = Pattern.bytes(48_000)
            let finished = Atomic<Bool>(false)
            let server = try TCPServer { connection in
                _ = connection.receive(1)
                try waitUntil("unread input") { connection.pendingInput >= 1_000 }
                try connection.send(answer)
                connection.close()
                finished.store(true, ordering: .relaxed)
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("rst", port, to: server.port))
            let client = try TestConnection(to: Endpoint(port), receiveBuffer: 4_096)
            try client.send(Pattern.bytes(1_001))
            try waitUntil("the upstream has reset") { finished.load(ordering: .relaxed) }
            try weir.scrape(until: "the answer has been read") { $0.bytes("rst", "egress") == answer.count }
            let received = client.receive()
            expectBytes(received.bytes, answer)
            #expect(received.ending == .reset)
            let samples = try weir.scrapeWhenIdle("rst")
            #expect(samples.closed("rst", "upstream_reset") == 1)
        }

        @Test("a client that resets is seen by the upstream as a reset")
        func clientResets() throws {
            let endings = Shared<[TestConnection.Ending]>([])
            let server = try TCPServer { connection in
                _ = connection.receive(5)
                try connection.send("heard")
                let received = connection.receive()
                endings.withLock { $0.append(received.ending) }
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("rst", port, to: server.port))
            for _ in 0..<20 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("hello")
                // A reset before the dial is done may end it without the upstream ever hearing of the client.
                #expect(client.receive(5).text == "heard")
                try client.reset()
            }
            try waitUntil("the upstream has seen all ends") { endings.withLock { $0.count } == 20 }
            #expect(endings.withLock { $0 } == Array(repeating: .reset, count: 20))
            let samples = try weir.scrapeWhenIdle("rst")
            #expect(samples.closed("rst", "client_reset") == 20)
        }

        @Test("a client that resets at once, in the middle of the dial, leaves nothing behind")
        func clientResetsAtOnce() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("rst", port, to: server.port))
            _ = try weir.scrape()
            let before = weir.process.descriptorCount
            for index in 0..<200 {
                let client = try TestConnection(to: Endpoint(port))
                if index.isMultiple(of: 2) { try client.send("hello") }
                try client.reset()
            }
            // A client that was gone before the accept counts as an accept error, each other one as a connection.
            let aborted = ["route": "rst", "reason": "aborted"]
            let samples = try weir.scrape(until: "all 200 have come and gone") {
                $0.closed("rst") + $0.total("weir_accept_errors_total", aborted) == 200
            }
            #expect(samples.accepted("rst") == samples.closed("rst"))
            #expect(samples.closed("rst", "client_reset") == samples.closed("rst"))
            #expect(samples.active("rst") == 0)
            try waitUntil("descriptors are back at \(before)") { weir.process.descriptorCount <= before }
        }

        @Test("1,000 connections leave descriptors and the active gauge where they were")
        func descriptorsReturn() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("many", port, to: server.port))
            func visit(_ index: Int) throws {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("ping")
                #expect(client.receive(4).text == "ping")
                // A third each: an orderly end, a reset, and simply going away.
                switch index % 3 {
                case 0:
                    try client.shutdownWriting()
                    #expect(client.receive().ending == .endOfStream)
                case 1: try client.reset()
                default: client.close()
                }
            }
            for index in 0..<30 { try visit(index) }
            try weir.scrapeWhenIdle("many")
            let before = weir.process.descriptorCount
            #expect(before > 3)
            for index in 0..<1_000 { try visit(index) }
            let samples = try weir.scrapeWhenIdle("many")
            try waitUntil("descriptors are back at \(before)") { weir.process.descriptorCount <= before }
            #expect(samples.accepted("many") == 1_030)
            #expect(samples.closed("many") == 1_030)
            #expect(samples.bytes("many", "ingress") == 4 * 1_030)
            #expect(samples.bytes("many", "egress") == 4 * 1_030)
            #expect(samples.total("weir_connections_active") == 0)
            #expect(
                samples.total("weir_upstream_connections_active", ["route": "many"]) == 0)
        }

        @Test("a thousand connections open at once all carry data, and are all counted as active")
        func manyAtOnce() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("many", port, to: server.port))
            var clients = try (0..<1_000).map { _ in try TestConnection(to: Endpoint(port)) }
            for (index, client) in clients.enumerated() { try client.send("\(index % 10)") }
            for (index, client) in clients.enumerated() { #expect(client.receive(1).text == "\(index % 10)") }
            #expect(try weir.scrape().active("many") == 1_000)
            clients.removeAll()
            let samples = try weir.scrapeWhenIdle("many")
            #expect(samples.closed("many") == 1_000)
        }
    }
}
