import Glibc
import TestSupport
import Testing

extension Integration {
    /// Names whose records are the members of a route, with a name server that a test changes.
    @Suite("Members from names", .timeLimit(.minutes(10)))
    struct NameMemberTests {
        private static let name = "members.weir.test"

        /// Servers on one port of loopback addresses of their own; each says the last byte of its address, and echoes.
        private struct Servers {
            let servers: [Int: TCPServer]
            let port: UInt16

            init(_ numbers: some Sequence<Int>) throws {
                let port = try Ports.free()
                self.port = port
                servers = try Dictionary(
                    uniqueKeysWithValues: numbers.map { number in
                        (
                            number,
                            try TCPServer(host: Self.host(number), port: port) { connection in
                                try connection.send([UInt8(number)])
                                while true {
                                    let received = connection.receiveSome(1)
                                    if received.bytes.isEmpty { break }
                                    try connection.send(received.bytes)
                                }
                            }
                        )
                    })
            }

            static func host(_ number: Int) -> String { "127.66.0.\(number)" }
        }

        private static func addresses(_ numbers: some Sequence<Int>) -> NameServer.Answer {
            .records(numbers.map { NameServer.Record(.a(Servers.host($0)), ttl: 1) })
        }

        /// The server that a client gets.
        private static func ask(_ port: UInt16) throws -> Int {
            let client = try TestConnection(to: Endpoint(port))
            try client.setTimeouts(seconds: 30)
            let number = client.receive(1).bytes.first
            client.close()
            return Int(try #require(number))
        }

        private static func members(_ samples: Samples, _ state: String = "up") -> Int {
            samples.total("weir_upstream_members", ["route": "set", "state": state])
        }

        @Test(
            "one of several addresses is exchanged again and again: clients go to all that are there, and to no other")
        func exchange() throws {
            let (count, all) = (6, 1...20)
            let names = try NameServer()
            let servers = try Servers(all)
            var present = Array(all.prefix(count))
            names[Self.name] = Self.addresses(present)
            let port = try Ports.free()
            let route = String.route(
                "set", port, to: servers.port, host: Self.name, "resolve: { members: all, refresh: 1s }")
            let weir = try WeirProcess(routes: route, rest: "workers: 2", launcher: names.launcher)
            // One that stays where it is.
            let old = try TestConnection(to: Endpoint(port))
            let first = try #require(old.receive(1).bytes.first)
            var clients = 1
            for round in 0..<(isLongRun ? 120 : 4) {
                let gone = present.removeFirst()
                let new = (round + count) % 20 + 1
                present.append(new)
                names[Self.name] = Self.addresses(present)
                try waitUntil("the change is told", deadline: .seconds(30)) {
                    let changes = weir.logLines.filter { $0.contains("members of an upstream have changed") }
                    return changes.last?.contains("new=\(Servers.host(new)):") == true
                        && changes.last?.contains("gone=\(Servers.host(gone)):") == true
                }
                let samples = try weir.scrape(until: "the new members are those of the route") {
                    Self.members($0) == count
                }
                #expect(samples.values.keys.allSatisfy { !$0.labels.values.contains { $0.contains("127.66.0.") } })
                // The page may be older than the change of the last worker.
                try waitUntil("the member that left gets no client") {
                    clients += count
                    return try (0..<count).map { _ in try Self.ask(port) }.allSatisfy { $0 != gone }
                }
                // The connection to a member that left goes on.
                try old.expectEcho([UInt8(round)])
                let answers = try (0..<4 * count).map { _ in try Self.ask(port) }
                clients += answers.count
                #expect(Set(answers) == Set(present), "round \(round)")
            }
            #expect(servers.servers[Int(first)]?.accepted ?? 0 > 0)
            try old.expectEnd()
            let end = try weir.scrapeWhenIdle("set")
            #expect(end.accepted("set") == clients)
            #expect(end.total("weir_dials_total", ["upstream": "\(Self.name):\(servers.port)"]) == clients)
            #expect(end.total("weir_dial_failures_total") == 0)
        }

        @Test("a lookup that fails leaves the members that were found last, is counted, and is told once")
        func lastGood() throws {
            let names = try NameServer()
            let servers = try Servers(1...2)
            names[Self.name] = Self.addresses(1...2)
            let port = try Ports.free()
            let route = String.route(
                "set", port, to: servers.port, host: Self.name, "resolve: { members: all, refresh: 1s }")
            let weir = try WeirProcess(routes: route, rest: "workers: 1", launcher: names.launcher)
            #expect(try Set((0..<4).map { _ in try Self.ask(port) }) == [1, 2])
            names[Self.name] = .failure
            let samples = try weir.scrape(until: "three lookups have failed", deadline: .seconds(30)) {
                $0.total("weir_upstream_resolves_total", ["route": "set", "result": "failure"]) >= 3
            }
            #expect(Self.members(samples) == 2)
            #expect(try Set((0..<4).map { _ in try Self.ask(port) }) == [1, 2])
            names[Self.name] = Self.addresses([2])
            try weir.waitForLog("members of an upstream have changed", "gone=\(Servers.host(1)):")
            #expect(
                weir.logLines.filter { $0.contains("cannot be looked up") && $0.contains("dns_failure") }.count == 1)
            #expect(try weir.stop() == .code(0))
        }

        @Test("members outlive a refused reload that had no use for them, and lookups that fail from then on")
        func refusedReload() throws {
            let names = try NameServer()
            let servers = try Servers(1...2)
            names[Self.name] = Self.addresses(1...2)
            let (port, taken) = (try Ports.free(), try TCPServer.echo())
            let route = String.route(
                "set", port, to: servers.port, host: Self.name, "resolve: { members: all, refresh: 1s }")
            let weir = try WeirProcess(routes: route, rest: "workers: 1", launcher: names.launcher)
            #expect(try Set((0..<4).map { _ in try Self.ask(port) }) == [1, 2])
            names[Self.name] = .failure
            try weir.replaceConfiguration(routes: .route("other", taken.port, to: 9), rest: "workers: 1")
            weir.process.send(signal: SIGHUP)
            try weir.scrape(until: "the reload is refused") { $0.reloads("failure") == 1 }
            // Rules for all routes: every route is updated.
            try weir.reload(routes: [route], rest: "workers: 1\nacl: { deny: [\"ip:192.0.2.1\"] }")
            #expect(try Set((0..<4).map { _ in try Self.ask(port) }) == [1, 2])
            #expect(Self.members(try weir.scrape()) == 2)
        }

        @Test("the records of a service name ports and shares, and those of a later priority are backups")
        func service() throws {
            let names = try NameServer()
            let (near, far) = (try Servers(1...2), try Servers(3...3))
            let service = "_app._tcp.weir.test"
            func record(_ host: String, _ port: UInt16, _ priority: UInt16, _ weight: UInt16) -> NameServer.Record {
                .init(.service(priority: priority, weight: weight, port: port, target: host), ttl: 1)
            }
            for number in 1...3 { names["host\(number).weir.test"] = Self.addresses([number]) }
            names[service] = .records([
                record("host1.weir.test", near.port, 10, 1), record("host2.weir.test", near.port, 10, 3),
                record("host3.weir.test", far.port, 20, 1),
            ])
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes:
                    "set: { scheme: tcp4, port: \(port), upstreams: { srv: \(service) }, resolve: { refresh: 1s } }",
                rest: "workers: 1", launcher: names.launcher)
            let answers = try (0..<40).map { _ in try Self.ask(port) }
            #expect([1, 2, 3].map { number in answers.count { $0 == number } } == [10, 30, 0])
            // Where the records of the first priority lead nowhere, the backup has all clients.
            names[service] = .records([
                record("host1.weir.test", try Ports.free(), 10, 1), record("host3.weir.test", far.port, 20, 1),
            ])
            try weir.waitForLog("members of an upstream have changed", "members=2")
            try waitUntil("the backup serves") { try Self.ask(port) == 3 }
            let samples = try weir.scrape()
            #expect(samples.total("weir_balance_fallbacks_total", ["reason": "backup"]) > 0)
            #expect(samples.matching("weir_upstream_info").map { $0.key.labels["upstream"] } == [service])
        }

        @Test(
            "without an answer since the start clients of a service fail for want of a name, and later ones are served")
        func unknownService() throws {
            let names = try NameServer()
            let servers = try Servers(1...1)
            let service = "_app._tcp.weir.test"
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes:
                    "set: { scheme: tcp4, port: \(port), upstreams: { srv: \(service) }, resolve: { refresh: 1s } }",
                rest: "workers: 1", launcher: names.launcher)
            #expect(try TestConnection(to: Endpoint(port)).receive().ending == .reset)
            try weir.scrape(until: "the failure is counted") {
                $0.total("weir_dial_failures_total", ["reason": "dns_not_found", "upstream": service]) > 0
            }
            names["host1.weir.test"] = Self.addresses([1])
            names[service] = .records([
                .init(.service(priority: 1, weight: 1, port: servers.port, target: "host1.weir.test"), ttl: 1)
            ])
            try weir.waitForLog("members of an upstream have changed", "members=1")
            try waitUntil("clients are served") {
                let client = try TestConnection(to: Endpoint(port))
                return client.receive(1).bytes == [1]
            }
        }
    }
}
