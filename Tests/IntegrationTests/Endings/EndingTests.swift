import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("How TCP connections end")
    struct EndingTests {
        private static let answerBytes = 1_000_000

        /// A route to a server that answers only after the client's end, with the request's length and the pattern.
        private static func halfCloseSetup() throws -> (server: TCPServer, port: UInt16, weir: WeirProcess) {
            let server = try TCPServer.answeringAfterEnd { request in
                Array("\(request.count):".utf8) + Pattern.bytes(answerBytes)
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("half", port, to: server.port))
            return (server, port, weir)
        }

        private static func expectWholeAnswer(_ client: TestConnection, requestBytes: Int) {
            let received = client.receive()
            #expect(received.ending == .endOfStream)
            expectBytes(received.bytes, Array("\(requestBytes):".utf8) + Pattern.bytes(answerBytes))
        }

        @Test("a client that sends, shuts down its writing side and then reads gets the whole answer")
        func halfClose() throws {
            let (server, port, weir) = try Self.halfCloseSetup()
            defer { withExtendedLifetime(server) {} }
            let client = try TestConnection(to: Endpoint(port))
            try client.send(Pattern.bytes(300_000))
            try client.shutdownWriting()
            Self.expectWholeAnswer(client, requestBytes: 300_000)
            let samples = try weir.scrapeWhenIdle("half")
            #expect(samples.bytes("half", "ingress") == 300_000)
            #expect(samples.bytes("half", "egress") == Self.answerBytes + "300000:".utf8.count)
            #expect(samples.closed("half", "client_eof") == 1)
        }

        @Test("the same when data and end arrive in one segment", arguments: [1, 100, 1_400])
        func dataAndEndTogether(count: Int) throws {
            let (server, port, weir) = try Self.halfCloseSetup()
            defer { withExtendedLifetime(server) {} }
            for _ in 0..<20 {
                let client = try TestConnection(to: Endpoint(port))
                try client.sendWithEnd(Pattern.bytes(count))
                Self.expectWholeAnswer(client, requestBytes: count)
            }
            let samples = try weir.scrapeWhenIdle("half")
            #expect(samples.bytes("half", "ingress") == 20 * count)
        }

        @Test("the same when data and end are there before the connection is accepted")
        func endBeforeAccept() throws {
            let (server, port, weir) = try Self.halfCloseSetup()
            defer { withExtendedLifetime(server) {} }
            // While the process is stopped, the kernel completes the handshake and queues what comes.
            weir.process.send(signal: SIGSTOP)
            let clients = try (1...10).map { count in
                let client = try TestConnection(to: Endpoint(port))
                try client.sendWithEnd(Pattern.bytes(count * 1_000))
                return client
            }
            weir.process.send(signal: SIGCONT)
            for (index, client) in clients.enumerated() {
                Self.expectWholeAnswer(client, requestBytes: (index + 1) * 1_000)
            }
            let samples = try weir.scrapeWhenIdle("half")
            #expect(samples.accepted("half") == 10)
            #expect(samples.bytes("half", "ingress") == 55_000)
        }

        @Test("the same when the end comes while the dial is under way")
        func endWhileDialing() throws {
            let server = try UnansweringServer()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: """
                    late: { scheme: tcp4, host: 127.0.0.1, port: "\(port):\(server.port)", dial_timeout: 60s }
                    """)
            let client = try TestConnection(to: Endpoint(port))
            // On a machine that stands still for long, the kernel's next try is far away.
            try client.setTimeouts(seconds: 60)
            try client.sendWithEnd(Pattern.bytes(5_000))
            try weir.scrape(until: "the connection is dialing") { $0.active("late") == 1 }
            try server.startAnswering { connection in
                let request = connection.receive()
                guard request.ending == .endOfStream else { return }
                try connection.send(Array("\(request.bytes.count):".utf8) + Pattern.bytes(Self.answerBytes))
            }
            Self.expectWholeAnswer(client, requestBytes: 5_000)
            let samples = try weir.scrapeWhenIdle("late")
            #expect(samples.bytes("late", "ingress") == 5_000)
            #expect(samples.closed("late", "client_eof") == 1)
        }

        @Test("an upstream that ends first leaves the client able to send on")
        func upstreamEndsFirst() throws {
            let seen = Shared<[UInt8]>([])
            let server = try TCPServer { connection in
                try connection.send("greeting")
                try connection.shutdownWriting()
                let rest = connection.receive()
                if rest.ending == .endOfStream { seen.withLock { $0 = rest.bytes } }
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("first", port, to: server.port))
            let client = try TestConnection(to: Endpoint(port))
            #expect(client.receive().text == "greeting")
            try client.send(Pattern.bytes(200_000))
            try client.shutdownWriting()
            try waitUntil("the upstream has everything") { seen.withLock { $0.count } == 200_000 }
            expectBytes(seen.withLock { $0 }, Pattern.bytes(200_000))
            let samples = try weir.scrapeWhenIdle("first")
            #expect(samples.closed("first", "upstream_eof") == 1)
        }
    }
}
