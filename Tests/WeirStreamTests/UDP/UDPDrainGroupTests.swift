import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPDrainGroupTests {
    @Test func `draining moves no session's datagrams to another worker, also where some workers are done at once`()
        async throws
    {
        // Each answer names the port that the question came from, and so the session.
        let server = try UDPServer { [Array("\($0.source.port)".utf8)] }
        try await withUDP("\(server.endpoint)", engine: EngineSetup(workers: 8, clock: TestClock())) { rig in
            func ask(_ client: UDPSocket) throws -> [UInt8] {
                try client.send([1], to: rig.endpoint)
                return try client.receive().bytes
            }
            // Fewer than workers: some have no session, and nothing to wait for.
            let clients = try (0..<5).map { _ in try UDPSocket() }
            let sessions = try clients.map { client in
                _ = try ask(client)
                return try ask(client)
            }
            try rig.close(drainTimeout: .seconds(60))
            for (client, session) in zip(clients, sessions) {
                try client.setTimeouts(seconds: 1)
                #expect(try ask(client) == session)
            }
            #expect(rig.recorder.dropped(.ingress, .draining) == 0)
            // The sockets go with the last session.
            try UDPSocket().send([1], to: rig.endpoint)
            try rig.recorder.expect(.rejected(.draining))
            rig.advance(by: .seconds(6))
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 5)
            _ = try UDPSocket(bindingTo: rig.endpoint)
        }
    }
}
