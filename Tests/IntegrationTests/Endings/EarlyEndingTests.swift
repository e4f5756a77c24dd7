import Foundation
import TestSupport
import Testing

extension Integration {
    /// Ends that arrive before the other side is ready for them.
    @Suite("Connections that end early")
    struct EarlyEndingTests {
        /// Keeps a dial hanging, lets the upstream do its part while the process stands, and then lets it see
        /// everything at once: the handshake, what was sent, and the reset.
        private static func dialMeets(
            _ handler: @escaping @Sendable (TestConnection) throws -> Void
        ) throws -> (received: TestConnection.Received, samples: Samples) {
            let server = try UnansweringServer()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("early", port, to: server.port, "dial_timeout: 20s"))
            let client = try TestConnection(to: Endpoint(port))
            try weir.scrape(until: "the connection is dialing") { $0.active("early") == 1 }
            weir.process.send(signal: SIGSTOP)
            let isDone = TestSemaphore()
            try server.startAnswering { connection in
                // Those that only filled the queue have ended.
                if connection.isReadable() { return }
                defer { isDone.signal() }
                try handler(connection)
            }
            isDone.wait()
            weir.process.send(signal: SIGCONT)
            let received = client.receive()
            client.close()
            return (received, try weir.scrapeWhenIdle("early"))
        }

        @Test("an upstream that answers and resets before the dial has been noticed: its answer is delivered")
        func answerAndReset() throws {
            let (received, samples) = try Self.dialMeets { connection in
                try connection.send("go away")
                try connection.reset()
            }
            #expect(received.text == "go away")
            #expect(received.ending == .reset)
            #expect(samples.closed("early", "upstream_reset") == 1)
            #expect(samples.closed("early") == 1)
            #expect(samples.bytes("early", "egress") == 7)
            #expect(samples.bytes("early", "ingress") == 0)
            #expect(samples.total("weir_dials_total") == 1)
            #expect(samples.total("weir_dial_failures_total") == 0)
        }

        @Test("an upstream that resets before the dial has been noticed, without a byte: the dial failed as reset")
        func resetWhileConnecting() throws {
            let (received, samples) = try Self.dialMeets { try $0.reset() }
            #expect(received.ending == .reset)
            #expect(received.bytes.isEmpty)
            #expect(samples.closed("early", "dial_failed") == 1)
            #expect(samples.closed("early") == 1)
            #expect(samples.total("weir_dials_total") == 1)
            #expect(samples.total("weir_dial_failures_total", ["reason": "reset"]) == 1)
            #expect(samples.total("weir_dial_failures_total") == 1)
        }

        @Test("an upstream that answers and closes before the dial has been noticed: its answer is delivered whole")
        func answerAndClose() throws {
            let (received, samples) = try Self.dialMeets { connection in
                try connection.send("bye")
                connection.close()
            }
            #expect(received.text == "bye")
            #expect(received.ending == .endOfStream)
            #expect(samples.bytes("early", "egress") == 3)
            #expect(samples.total("weir_dial_failures_total") == 0)
        }

        @Test("an upstream that answers and resets at once, two hundred times: every answer is delivered")
        func answerAndResetQuickly() throws {
            let server = try TCPServer { connection in
                try connection.send("go away")
                try connection.reset()
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("quick", port, to: server.port))
            let rounds = 200
            for _ in 0..<rounds {
                let received = try TestConnection(to: Endpoint(port)).receive()
                #expect(received.text == "go away")
                #expect(received.ending == .reset)
            }
            let samples = try weir.scrapeWhenIdle("quick")
            #expect(samples.closed("quick", "upstream_reset") == rounds)
            #expect(samples.closed("quick") == rounds)
            #expect(samples.bytes("quick", "egress") == rounds * 7)
            #expect(samples.total("weir_dial_failures_total") == 0)
        }

        @Test("a client that closes before it sent anything is an end like any other")
        func clientSaysNothing() throws {
            let seen = Shared<[TestConnection.Received]>([])
            let server = try TCPServer { connection in
                let received = connection.receive()
                seen.withLock { $0.append(received) }
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("mute", port, to: server.port))
            for _ in 0..<50 { try TestConnection(to: Endpoint(port)).close() }
            let samples = try weir.scrape(until: "all fifty are over") { $0.closed("mute") == 50 }
            #expect(samples.accepted("mute") == 50)
            #expect(samples.closed("mute", "client_eof") == 50)
            #expect(samples.bytes("mute", "ingress") == 0)
            #expect(samples.bytes("mute", "egress") == 0)
            try waitUntil("the upstream has seen all ends") { seen.withLock { $0.count } == 50 }
            #expect(seen.withLock { $0.allSatisfy { $0.bytes.isEmpty && $0.ending == .endOfStream } })
        }

        @Test("clients that came and went before the accept are passed on with all that they sent")
        func goneBeforeTheAccept() throws {
            let server = try TCPServer.answeringAfterEnd { Array("\($0.count)".utf8) }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("gone", port, to: server.port), rest: "workers: 4")
            weir.process.send(signal: SIGSTOP)
            for index in 0..<40 {
                let client = try TestConnection(to: Endpoint(port))
                // A half of them end, with and without a byte; the others reset.
                if index.isMultiple(of: 2) { try client.send("x") }
                if index < 20 { client.close() } else { try client.reset() }
            }
            weir.process.send(signal: SIGCONT)
            let samples = try weir.scrape(until: "all forty have been dealt with") { $0.closed("gone") == 40 }
            #expect(samples.active("gone") == 0)
            // The upstream answers after the client has closed: a reset, if the answer arrives before the end is
            // handled.
            let ended = samples.closed("gone", "client_eof") + samples.closed("gone", "client_reset")
            #expect(ended == 40)
            // Also one that was handed to another worker and was reset on its way there: the client is named.
            #expect(samples.total("weir_accept_errors_total") == 0)
            #expect(weir.logLines.allSatisfy { !$0.contains("ERROR") && !$0.contains("WARNING") })
            try waitUntil("every end is in the log, with its client") {
                weir.logLines.filter { $0.contains("connection closed") && $0.contains(" client=127.0.0.1:") }.count
                    == 40
            }
        }
    }
}
