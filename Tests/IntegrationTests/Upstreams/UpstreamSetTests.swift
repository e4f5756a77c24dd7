import TestSupport
import Testing

extension Integration {
    /// Routes with several upstreams, and the program as a user runs it.
    @Suite("Routes with several upstreams", .timeLimit(.minutes(10)))
    struct UpstreamSetTests {
        /// Servers that say their number and end, or that answer each datagram with it.
        private static func tcpServers(_ count: Int) throws -> [TCPServer] {
            try (0..<count).map { number in
                try TCPServer { connection in
                    try connection.send([UInt8(number)])
                    _ = connection.receive()
                }
            }
        }

        private static func text(_ servers: [TCPServer]) -> String {
            servers.map { "\"127.0.0.1:\($0.port)\"" }.joined(separator: ", ")
        }

        /// Connects, reads the number of the server, and ends.
        private static func ask(_ port: UInt16) throws -> Int? {
            let client = try TestConnection(to: Endpoint(port))
            try client.setTimeouts(seconds: 5)
            let number = client.receive(1).bytes.first
            client.close()
            return number.map(Int.init)
        }

        @Test("clients are divided by weight over all workers, and every byte and dial is counted for its upstream")
        func shares() throws {
            let servers = try Self.tcpServers(2)
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: """
                    set:
                      scheme: tcp4
                      port: \(port)
                      upstreams:
                        - { host: 127.0.0.1, port: \(servers[0].port), name: light }
                        - { host: 127.0.0.1, port: \(servers[1].port), name: heavy, weight: 3 }
                    """, rest: "workers: 2")
            var counts = [0, 0]
            for _ in 0..<400 { counts[try #require(try Self.ask(port))] += 1 }
            // Each worker divides its own clients exactly; how many it has is the kernel's choice.
            #expect((90...110).contains(counts[0]))
            let samples = try weir.scrapeWhenIdle("set")
            for (name, count) in zip(["light", "heavy"], counts) {
                let labels = ["route": "set", "protocol": "tcp", "upstream": name]
                #expect(samples["weir_dials_total", labels] == Double(count))
                let sent = labels.merging(["direction": "egress"]) { $1 }
                #expect(samples["weir_upstream_bytes_total", sent] == Double(count))
                #expect(samples["weir_upstream_up", labels] == 1)
            }
            #expect(samples["weir_upstream_weight", ["route": "set", "protocol": "tcp", "upstream": "heavy"]] == 3)
            #expect(samples.total("weir_dial_retries_total") == 0)
            #expect(samples.total("weir_upstream_bytes_total") == samples.total("weir_bytes_total", ["route": "set"]))
        }

        @Test("with `maglev` three processes that share nothing choose alike for every client")
        func instances() throws {
            let servers = try Self.tcpServers(7)
            let ports = try (0..<3).map { _ in try Ports.free() }
            // The order of the file has no effect.
            let instances = try ports.enumerated().map { turn, port in
                let order = (servers.dropFirst(turn * 2) + servers.prefix(turn * 2)).map { $0 }
                return try WeirProcess(
                    routes: "set: { scheme: tcp4, port: \(port), balance: maglev, upstreams: [\(Self.text(order))] }",
                    rest: "workers: 2\nlog: { level: error }")
            }
            var chosen: Set<Int> = []
            for number in 0..<(isLongRun ? 100_000 : 300) {
                let host = "127.\(1 + number >> 16).\(number >> 8 & 255).\(number & 255)"
                let answers = try ports.map { port -> Int? in
                    let client = try TestConnection(to: Endpoint(port), from: Endpoint(host, 0))
                    try client.setTimeouts(seconds: 30)
                    let answer = client.receive(1).bytes.first
                    client.close()
                    return answer.map(Int.init)
                }
                let first = try #require(answers[0])
                chosen.insert(first)
                // An expectation for each would take longer than the clients.
                if answers != [first, first, first] { Issue.record("\(host): \(answers)") }
            }
            #expect(chosen.count == servers.count)
            for instance in instances { #expect(try instance.stop() == .code(0)) }
        }

        @Test("one of three is dead: every client is served, the upstream is ejected once, and is tried again later")
        func dead() throws {
            let servers = try Self.tcpServers(2)
            let deadPort = try Ports.free()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: """
                    set:
                      scheme: tcp4
                      port: \(port)
                      upstreams: [\(Self.text(servers)), "127.0.0.1:\(deadPort)"]
                      eject: { failures: 3, for: 2s, at_most: 2s }
                    """, rest: "workers: 1")
            for _ in 0..<60 { #expect(try Self.ask(port) != nil) }
            let dead = ["route": "set", "protocol": "tcp", "upstream": "127.0.0.1:\(deadPort)"]
            let samples = try weir.scrapeWhenIdle("set")
            #expect(samples.closed("set", "dial_failed") == 0)
            #expect(samples["weir_upstream_ejections_total", dead.merging(["reason": "dial_failed"]) { $1 }] == 1)
            #expect(samples["weir_upstream_up", dead] == 0)
            #expect(samples.total("weir_dial_failures_total", dead) == 3)
            #expect(
                samples["weir_dial_retries_total", ["route": "set", "protocol": "tcp", "result": "success"]] == 3)
            try weir.waitForLog("upstream is out", "127.0.0.1:\(deadPort)", "dial_failed")
            // It comes back, and gets clients again when its time is over.
            let back = try TCPServer(port: deadPort) { connection in
                try connection.send([2])
                _ = connection.receive()
            }
            try waitUntil("it gets clients again", deadline: .seconds(30)) { try Self.ask(port) == 2 }
            #expect(back.accepted > 0)
            try weir.waitForLog("upstream is up", "127.0.0.1:\(deadPort)")
            let end = try weir.scrape(until: "it is up") { $0["weir_upstream_up", dead] == 1 }
            #expect(end.closed("set", "dial_failed") == 0)
        }

        @Test("a backup gets clients only while all others are out, and full upstreams turn clients away with a reason")
        func backupsAndLimits() throws {
            let servers = try Self.tcpServers(2)
            let (port, bounded) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: """
                    spare:
                      scheme: tcp4
                      port: \(port)
                      upstreams:
                        - "127.0.0.1:\(servers[0].port)"
                        - { host: 127.0.0.1, port: \(servers[1].port), backup: true }
                    bounded:
                      scheme: tcp4
                      port: \(bounded)
                      upstreams: { host: 127.0.0.1, port: \(servers[0].port), max_connections: 1 }
                    """)
            for _ in 0..<10 { #expect(try Self.ask(port) == 0) }
            servers[0].stop()
            for _ in 0..<10 { #expect(try Self.ask(port) == 1) }
            let samples = try weir.scrapeWhenIdle("spare")
            #expect(samples.closed("spare", "dial_failed") == 0)
            #expect(samples.total("weir_balance_fallbacks_total", ["route": "spare", "reason": "backup"]) > 0)

            let again = try TCPServer(port: servers[0].port) { connection in
                try connection.send([0])
                _ = connection.receive()
            }
            defer { withExtendedLifetime(again) {} }
            let first = try TestConnection(to: Endpoint(bounded))
            #expect(first.receive(1).bytes == [0])
            #expect(try TestConnection(to: Endpoint(bounded)).receive().ending == .reset)
            let rejected = ["route": "bounded", "reason": "upstream_limit"]
            try weir.scrape(until: "the second client is turned away with a reason") {
                $0["weir_tcp_connections_rejected_total", rejected] == 1
            }
            first.close()
            try waitUntil("the upstream has room again") { try Self.ask(bounded) == 0 }
        }

        @Test("a drained upstream keeps its connections and gets no new ones; its return is taken by a reload, too")
        func draining() throws {
            let servers = try Self.tcpServers(2)
            let port = try Ports.free()
            func routes(draining: Bool) -> String {
                """
                set:
                  scheme: tcp4
                  port: \(port)
                  upstreams:
                    - { host: 127.0.0.1, port: \(servers[0].port), drain: \(draining) }
                    - "127.0.0.1:\(servers[1].port)"
                """
            }
            let weir = try WeirProcess(routes: routes(draining: false))
            var kept: TestConnection?
            try waitUntil("a client has the first upstream") {
                let client = try TestConnection(to: Endpoint(port))
                guard client.receive(1).bytes == [0] else { return false }
                kept = client
                return true
            }
            try weir.replaceConfiguration(routes: routes(draining: true))
            let first = ["route": "set", "protocol": "tcp", "upstream": "127.0.0.1:\(servers[0].port)"]
            try weir.scrape(until: "it drains") { $0["weir_upstream_weight", first] == 0 }
            for _ in 0..<20 { #expect(try Self.ask(port) == 1) }
            let client = try #require(kept)
            try client.send("still there")
            let samples = try weir.scrape()
            #expect(samples["weir_upstream_connections_active", first] == 1)
            #expect(samples["weir_upstream_up", first] == 1)
            client.close()
            try weir.replaceConfiguration(routes: routes(draining: false))
            try waitUntil("it gets clients again", deadline: .seconds(15)) { try Self.ask(port) == 0 }
        }

        @Test("one that accepts and resets is ejected; one that resets what a client sent is only looked at, and stays")
        func resets() throws {
            let resetting = try TCPServer { connection in try connection.reset() }
            let choosy = try TCPServer { connection in
                // It closes what it does not like with unread input, which is a reset.
                if connection.receive(1).text != "X" { try connection.send([1]) } else { try connection.reset() }
                _ = connection.receive()
            }
            let (bad, good) = (try Ports.free(), try Ports.free())
            let fine = try TCPServer { connection in
                _ = connection.receive(1)
                try connection.send([2])
                _ = connection.receive()
            }
            func route(_ name: String, _ port: UInt16, _ first: TCPServer) -> String {
                """
                \(name):
                  scheme: tcp4
                  port: \(port)
                  upstreams: ["127.0.0.1:\(first.port)", "127.0.0.1:\(fine.port)"]
                  eject: { failures: 5, for: 60s }
                """
            }
            let weir = try WeirProcess(
                routes: route("bad", bad, resetting) + "\n" + route("good", good, choosy), rest: "workers: 1")
            func ask(_ port: UInt16, _ text: String) throws -> UInt8? {
                let client = try TestConnection(to: Endpoint(port))
                try client.setTimeouts(seconds: 5)
                try? client.send(text)
                return client.receive(1).bytes.first
            }
            let reset = ["route": "bad", "protocol": "tcp", "upstream": "127.0.0.1:\(resetting.port)"]
            try waitUntil("it is ejected") {
                _ = try ask(bad, "?")
                return try weir.scrape()["weir_upstream_up", reset] == 0
            }
            // A reset that comes before the handshake's end is a dial that failed.
            #expect(try weir.scrape().total("weir_upstream_ejections_total", reset) == 1)
            for _ in 0..<20 { #expect(try ask(bad, "?") == 2) }

            for _ in 0..<20 { _ = try ask(good, "X") }
            try waitUntil("the one that was looked at gets clients") { try ask(good, "?") == 1 }
            let samples = try weir.scrape()
            let first = ["route": "good", "protocol": "tcp", "upstream": "127.0.0.1:\(choosy.port)"]
            #expect(samples["weir_upstream_up", first] == 1)
            #expect(samples.total("weir_upstream_ejections_total", first) == 0)
            #expect(samples.closed("good", "upstream_reset") > 0)
        }

        @Test("a UDP session moves from an upstream that refuses, and an ejected one gets no new sessions")
        func datagrams() throws {
            let deadPort = try Ports.free()
            let server = try UDPServer { _ in [[1]] }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: """
                    set:
                      scheme: udp4
                      port: \(port)
                      upstreams: ["127.0.0.1:\(deadPort)", "127.0.0.1:\(server.port)"]
                      balance: first
                      eject: { failures: 3, for: 60s }
                    """, rest: "workers: 1")
            for _ in 0..<20 {
                let client = try UDPSocket()
                try client.setTimeouts(seconds: 5)
                try client.send([9], to: Endpoint(port))
                #expect(try client.receive().bytes == [1])
            }
            let dead = ["route": "set", "protocol": "udp", "upstream": "127.0.0.1:\(deadPort)"]
            let samples = try weir.scrape(until: "it is ejected") { $0["weir_upstream_up", dead] == 0 }
            #expect(samples["weir_upstream_ejections_total", dead.merging(["reason": "network_error"]) { $1 }] == 1)
            #expect(samples.total("weir_udp_upstream_errors_total", dead) == 3)
        }
    }
}
