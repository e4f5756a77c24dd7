import TestSupport
import Testing

extension Integration {
    /// Upstreams that are checked, and the program as a user runs it.
    @Suite("Health checks", .timeLimit(.minutes(2)))
    struct HealthCheckTests {
        /// A service that says its number, and beside it a page that says whether it should get clients.
        private struct Service {
            let server: TCPServer
            let page: TCPServer
            let isNotReady: Shared<Bool>

            init(_ number: UInt8) throws {
                let isNotReady = Shared(false)
                self.isNotReady = isNotReady
                server = try TCPServer { connection in
                    try connection.send([number])
                    _ = connection.receive()
                }
                page = try TCPServer { connection in
                    _ = connection.receiveSome()
                    let status = isNotReady.withLock({ $0 }) ? "503 Service Unavailable" : "200 OK"
                    try connection.send(Array("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n".utf8))
                }
            }
        }

        private static func ask(_ port: UInt16) throws -> UInt8? {
            let client = try TestConnection(to: Endpoint(port))
            try client.setTimeouts(seconds: 5)
            let number = client.receive(1).bytes.first
            client.close()
            return number
        }

        @Test("checks and dials come from `dial_from`, and a reload changes it")
        func source() throws {
            let peers = Shared<[String: Set<String>]>([:])
            // A check sends a request, the client a question mark.
            let server = try TCPServer { connection in
                let peer = try connection.peerEndpoint.host
                let kind = connection.receiveSome().text.hasPrefix("?") ? "dials" : "checks"
                peers.withLock { _ = $0[kind, default: []].insert(peer) }
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            }
            let port = try Ports.free()
            func routes(_ source: String) -> String {
                """
                set:
                  scheme: tcp4
                  port: "\(port):\(server.port)"
                  host: 127.0.0.1
                  dial_from: \(source)
                  health: { check: http, path: /, interval: 100ms }
                """
            }
            let weir = try WeirProcess(routes: routes("127.0.0.9"), rest: "workers: 1")
            for source in ["127.0.0.9", "127.0.0.10"] {
                if source != "127.0.0.9" { try weir.reload(routes: [routes(source)], rest: "workers: 1") }
                peers.withLock { $0 = [:] }
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(4).text == "HTTP")
                try waitUntil("checks and dials come from \(source)") {
                    peers.withLock { $0 } == ["checks": [source], "dials": [source]]
                }
            }
        }

        @Test("a page of its own takes an upstream out and brings it back; no client is lost, each change has a cause")
        func page() throws {
            let service = try Service(0)
            let other = try TCPServer { connection in
                try connection.send([1])
                _ = connection.receive()
            }
            let port = try Ports.free()
            // The page of the first stands for both: the second is the backup.
            let weir = try WeirProcess(
                routes: """
                    set:
                      scheme: tcp4
                      port: \(port)
                      upstreams:
                        - { host: 127.0.0.1, port: \(service.server.port), name: primary }
                        - { host: 127.0.0.1, port: \(other.port), name: spare, backup: true }
                      health: { check: http, path: /ready, port: \(service.page.port), interval: 100ms, fall: 2 }
                    """, rest: "workers: 1")
            let primary = ["route": "set", "protocol": "tcp", "upstream": "primary"]
            try weir.scrape(until: "a check has passed") {
                ($0["weir_health_checks_total", primary.merging(["result": "success"]) { $1 }] ?? 0) > 0
            }
            #expect(try Self.ask(port) == 0)
            service.isNotReady.withLock { $0 = true }
            let out = try weir.scrape(until: "it is out", deadline: .seconds(20)) {
                $0["weir_upstream_up", primary] == 0
            }
            #expect((out["weir_health_checks_total", primary.merging(["result": "unexpected"]) { $1 }] ?? 0) >= 2)
            let change = primary.merging(["to": "down", "cause": "check"]) { $1 }
            #expect(out["weir_upstream_state_changes_total", change] == 1)
            try weir.waitForLog("upstream is out", "primary", "check", "status 503")
            // Both are out by the same page: clients are served all the same.
            #expect(try Self.ask(port) != nil)
            #expect(out.closed("set", "dial_failed") == 0)
            service.isNotReady.withLock { $0 = false }
            let back = try weir.scrape(until: "it is back", deadline: .seconds(20)) {
                $0["weir_upstream_up", primary] == 1
            }
            #expect(
                back["weir_upstream_state_changes_total", primary.merging(["to": "up", "cause": "check"]) { $1 }] == 1)
            try weir.waitForLog("upstream is up", "primary", "check")
        }

        @Test("with `when_none: reject` clients are turned away, with a reason, while every upstream is out")
        func none() throws {
            let port = try Ports.free()
            let dead = try Ports.free()
            let weir = try WeirProcess(
                routes: """
                    set:
                      scheme: tcp4
                      port: \(port)
                      upstreams: { host: 127.0.0.1, port: \(dead) }
                      health: { check: tcp, interval: 100ms, fall: 1 }
                      when_none: reject
                    """)
            let upstream = ["route": "set", "protocol": "tcp", "upstream": "127.0.0.1:\(dead)"]
            try weir.scrape(until: "it is out", deadline: .seconds(20)) { $0["weir_upstream_up", upstream] == 0 }
            #expect(try TestConnection(to: Endpoint(port)).receive().ending == .reset)
            let rejected = ["route": "set", "reason": "no_upstream"]
            let samples = try weir.scrape(until: "the client is counted") {
                $0["weir_tcp_connections_rejected_total", rejected] == 1
            }
            #expect(samples.total("weir_dials_total", ["route": "set"]) == 0)
            let server = try TCPServer(port: dead) { connection in
                try connection.send([1])
                _ = connection.receive()
            }
            defer { withExtendedLifetime(server) {} }
            try weir.scrape(until: "it is back", deadline: .seconds(20)) { $0["weir_upstream_up", upstream] == 1 }
            #expect(try Self.ask(port) == 1)
        }

        @Test("a service that refuses is out after its checks, in TCP and in UDP; without checks it is up again")
        func refusing() throws {
            let tcpPort = try Ports.free()
            let udpPort = try Ports.free()
            let server = try TCPServer { connection in
                try connection.send([1])
                _ = connection.receive()
            }
            let datagrams = try UDPServer { datagram in
                // An answer of a name server: the question with the bit of a response.
                var bytes = datagram.bytes
                if bytes.count > 2 { bytes[2] |= 0x80 }
                return [bytes]
            }
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            func routes(_ health: (tcp: String, udp: String)) -> String {
                """
                tcp:
                  scheme: tcp4
                  port: \(tcp)
                  upstreams: ["127.0.0.1:\(tcpPort)", "127.0.0.1:\(server.port)"]
                  health: \(health.tcp)
                udp:
                  scheme: udp4
                  port: \(udp)
                  upstreams: ["127.0.0.1:\(udpPort)", "127.0.0.1:\(datagrams.port)"]
                  health: \(health.udp)
                """
            }
            let weir = try WeirProcess(
                routes: routes(("{ check: tcp, interval: 100ms }", "{ check: dns, interval: 100ms }")))
            let dead = ["route": "tcp", "protocol": "tcp", "upstream": "127.0.0.1:\(tcpPort)"]
            let deadUDP = ["route": "udp", "protocol": "udp", "upstream": "127.0.0.1:\(udpPort)"]
            let alive = ["route": "udp", "protocol": "udp", "upstream": "127.0.0.1:\(datagrams.port)"]
            let samples = try weir.scrape(until: "both are out", deadline: .seconds(20)) {
                $0["weir_upstream_up", dead] == 0 && $0["weir_upstream_up", deadUDP] == 0
            }
            #expect(samples["weir_upstream_up", alive] == 1)
            for _ in 0..<10 { #expect(try Self.ask(tcp) == 1) }
            let after = try weir.scrapeWhenIdle("tcp")
            // The one that is out is not dialed for clients.
            #expect(after.total("weir_dials_total", dead) == 0)
            // Another check, at other times: the state stays until that one decides.
            try weir.replaceConfiguration(
                routes: routes(("{ check: redis, interval: 60s, timeout: 50s }", "{ check: dns, interval: 60s }")))
            let reloaded = try weir.scrape(until: "the file is taken", deadline: .seconds(20)) {
                $0.reloads("success") == 1
            }
            #expect(reloaded["weir_upstream_up", dead] == 0 && reloaded["weir_upstream_up", deadUDP] == 0)
            try weir.replaceConfiguration(routes: routes(("off", "off")))
            try weir.scrape(until: "no check speaks against them", deadline: .seconds(20)) {
                $0["weir_upstream_up", dead] == 1 && $0["weir_upstream_up", deadUDP] == 1
            }
        }
    }
}
