import Synchronization

/// A relay between a real client and Weir that counts the bytes of both directions.
package final class CountingRelay: Sendable {
    private final class Totals: Sendable {
        let sent = Atomic<Int>(0)
        let received = Atomic<Int>(0)
        let open = Atomic<Int>(0)
    }

    private let totals: Totals
    private let server: TCPServer

    package var port: UInt16 { server.port }
    /// Bytes relayed from clients.
    package var bytesSent: Int { totals.sent.load(ordering: .relaxed) }
    /// Bytes relayed to clients.
    package var bytesReceived: Int { totals.received.load(ordering: .relaxed) }

    package init(to upstream: Endpoint) throws {
        let totals = Totals()
        self.totals = totals
        server = try TCPServer { client in
            totals.open.wrappingAdd(1, ordering: .relaxed)
            defer { totals.open.wrappingSubtract(1, ordering: .relaxed) }
            let connection = try TestConnection(to: upstream)
            try client.setTimeouts(seconds: 60)
            try connection.setTimeouts(seconds: 60)
            let done = TestSemaphore()
            TCPServer.start {
                Self.copy(from: client, to: connection, counter: totals.sent)
                done.signal()
            }
            Self.copy(from: connection, to: client, counter: totals.received)
            done.wait()
        }
    }

    /// Waits until every connection that came has ended on both sides.
    package func waitUntilIdle() throws {
        try waitUntil("the counting relay is idle") { totals.open.load(ordering: .relaxed) == 0 }
    }

    private static func copy(from source: TestConnection, to target: TestConnection, counter: borrowing Atomic<Int>) {
        while true {
            let received = source.receiveSome(262_144)
            guard !received.bytes.isEmpty else { break }
            // Towards the client everything that arrived counts, whether or not the client still wants it.
            counter.wrappingAdd(received.bytes.count, ordering: .relaxed)
            guard (try? target.send(received.bytes)) != nil else { break }
        }
        try? target.shutdownWriting()
    }
}
