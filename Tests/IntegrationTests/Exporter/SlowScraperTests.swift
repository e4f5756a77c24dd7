import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Slow clients of the exporter")
    struct SlowScraperTests {
        @Test("64 clients that send a byte per second never cost Prometheus a scrape")
        func bytePerSecond() throws {
            let weir = try WeirProcess(routes: .route("idle", try Ports.free(), to: 9))
            let prometheus = try PrometheusServer(target: weir.exporterPort)
            try waitUntil("the target is up", deadline: .seconds(20)) { try prometheus.value(of: "up") == 1 }

            let running = Atomic<Bool>(true)
            let done = TestSemaphore()
            let reconnects = Atomic<Int>(0)
            let exporterPort = weir.exporterPort
            Thread {
                let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
                // Each client keeps its connection as long as it may, and reconnects when it is evicted.
                var clients: [(connection: TestConnection, sent: Int)?] = Array(repeating: nil, count: 64)
                while running.load(ordering: .relaxed) {
                    for index in clients.indices {
                        // From four addresses, Prometheus's own among them.
                        let source = Endpoint("127.0.0.\(1 + index % 4)", 0)
                        if clients[index] == nil,
                            let fresh = try? TestConnection(to: Endpoint(exporterPort), from: source)
                        {
                            clients[index] = (fresh, 0)
                            reconnects.wrappingAdd(1, ordering: .relaxed)
                        }
                        guard let client = clients[index] else { continue }
                        let next = request[client.sent % request.count]
                        if client.connection.isReadable() || (try? client.connection.send([next])) == nil {
                            clients[index] = nil
                        } else {
                            clients[index] = (client.connection, client.sent + 1)
                        }
                    }
                    // A second between two bytes, unless the test is over.
                    try? waitUntil("a second passes", deadline: .seconds(1)) { !running.load(ordering: .relaxed) }
                }
                done.signal()
            }.start()
            defer {
                running.store(false, ordering: .relaxed)
                done.wait()
            }
            try waitUntil("the slow clients are there") { reconnects.load(ordering: .relaxed) >= 64 }
            let scrapes = "count_over_time(up[2m])"
            let first = try #require(try prometheus.value(of: scrapes))
            // Longer than the exporter lets a head take, so that slow clients come and go meanwhile.
            try waitUntil("15 more scrapes", deadline: .seconds(60)) {
                try prometheus.value(of: scrapes) ?? 0 >= first + 15
            }
            // No scrape failed or was late: the timeout of a scrape is the interval of one second.
            #expect(try prometheus.value(of: "min_over_time(up[2m])") == 1)
            #expect(weir.process.isRunning)
        }
    }
}
