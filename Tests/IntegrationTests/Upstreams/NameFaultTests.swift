import Foundation
import TestSupport
import Testing

extension Integration {
    /// Against a scripted name server. Routes to a closed port make Weir ask again: a failed dial causes a look-up, and
    /// all routes of a name share its look-ups.
    @Suite("Upstream names that fail, change and hang", .timeLimit(.minutes(2)))
    struct NameFaultTests {
        /// One worker: it asks for a name again at most once a second, however many dials fail.
        private static let oneWorker = "workers: 1"

        private static func resolves(_ samples: Samples, _ route: String, _ result: String) -> Int {
            samples.total("weir_upstream_resolves_total", ["route": route, "result": result])
        }

        private static func lastSuccess(_ samples: Samples, _ route: String) -> Double? {
            samples.matching("weir_upstream_last_resolve_success_timestamp_seconds", ["route": route]).first?.value
        }

        private static func dialFailures(_ samples: Samples, _ route: String, _ reason: String) -> Int {
            samples.total("weir_dial_failures_total", ["route": route, "reason": reason])
        }

        /// Opens a connection whose dial fails, and waits for its end.
        private static func kick(_ port: UInt16) throws {
            let client = try TestConnection(to: Endpoint(port))
            let ending = client.receive().ending
            #expect(ending == .reset)
        }

        private static func echo(_ client: TestConnection, _ text: String) throws {
            try client.send(text)
            #expect(client.receive(text.utf8.count).text == text)
        }

        /// The time after a failed dial from which another one makes the worker ask again.
        private static func waitASecond() throws {
            let clock = ContinuousClock()
            let end = clock.now + .milliseconds(1_100)
            try waitUntil("a second is over") { clock.now >= end }
        }

        private static let wrong: [(name: String, answer: NameServer.Answer)] = [
            ("nxdomain", .noSuchName), ("servfail", .failure), ("empty", .addresses([])), ("silence", .silence),
            ("truncated", .truncated), ("cut-short", .cutShort), ("wrong-id", .wrongIdentifier),
            ("wrong-question", .wrongQuestion), ("noise", .noise), ("aliases", .aliases(30)), ("loop", .aliasOfItself),
        ]

        @Test("whatever is wrong with an answer, the last good one is kept, and the failure is counted once")
        func wrongAnswers() throws {
            let names = try NameServer()
            for (name, _) in Self.wrong { names["\(name).weir.test"] = .addresses(["127.0.0.1"]) }
            let server = try TCPServer.echo()
            let dead = try Ports.free()
            let cases = try Self.wrong.map {
                (name: $0.name, answer: $0.answer, live: try Ports.free(), kick: try Ports.free())
            }
            let routes = cases.flatMap { entry in
                [
                    String.route(entry.name, entry.live, to: server.port, host: "\(entry.name).weir.test"),
                    String.route("kick-\(entry.name)", entry.kick, to: dead, host: "\(entry.name).weir.test"),
                ]
            }
            let weir = try WeirProcess(
                routes: routes.joined(separator: "\n"), rest: Self.oneWorker, launcher: names.launcher)
            let all = cases.flatMap { [$0.name, "kick-\($0.name)"] }
            let before = try weir.scrape(until: "every name has an answer") { samples in
                all.allSatisfy { Self.resolves(samples, $0, "success") == 1 }
            }
            let old = try cases.map { try TestConnection(to: Endpoint($0.live)) }
            for client in old { try Self.echo(client, "first") }

            for entry in cases { names["\(entry.name).weir.test"] = entry.answer }
            for entry in cases { try Self.kick(entry.kick) }
            let during = try weir.scrape(until: "every name has failed") { samples in
                all.allSatisfy { Self.resolves(samples, $0, "failure") == 1 }
            }
            for route in all {
                #expect(Self.resolves(during, route, "success") == 1)
                #expect(Self.lastSuccess(during, route) == Self.lastSuccess(before, route))
            }
            for (client, entry) in zip(old, cases) {
                // Connected clients go on, and new ones are served.
                try Self.echo(client, "still")
                try Self.echo(TestConnection(to: Endpoint(entry.live)), "new")
            }

            for entry in cases { names["\(entry.name).weir.test"] = .addresses(["127.0.0.1"]) }
            try Self.waitASecond()
            for entry in cases { try Self.kick(entry.kick) }
            let after = try weir.scrape(until: "every name has an answer again") { samples in
                all.allSatisfy { Self.resolves(samples, $0, "success") == 2 }
            }
            for entry in cases {
                for route in [entry.name, "kick-\(entry.name)"] {
                    #expect(Self.resolves(after, route, "failure") == 1)
                    #expect(Self.lastSuccess(after, route) ?? 0 > Self.lastSuccess(before, route) ?? 0)
                    #expect(after.total("weir_dials_total", ["route": route]) == 2)
                    for reason in ["dns_not_found", "dns_timeout", "dns_failure"] {
                        #expect(Self.dialFailures(after, route, reason) == 0)
                    }
                }
                #expect(after.total("weir_dial_failures_total", ["route": entry.name]) == 0)
                #expect(Self.dialFailures(after, "kick-\(entry.name)", "refused") == 2)
            }
        }

        @Test("why a name has no address is the reason of the dial, and is in the log")
        func reasons() throws {
            let names = try NameServer()
            let cases: [(name: String, answer: NameServer.Answer, reason: String)] = [
                ("missing", .noSuchName, "dns_not_found"), ("empty", .addresses([]), "dns_not_found"),
                ("broken", .failure, "dns_failure"), ("refused", .refusal, "dns_failure"),
                ("silent", .silence, "dns_timeout"),
            ]
            for entry in cases { names["\(entry.name).weir.test"] = entry.answer }
            let ports = try cases.map { _ in try Ports.free() }
            let routes = zip(cases, ports).map { entry, port in
                String.route(entry.name, port, to: 9, host: "\(entry.name).weir.test")
            }
            let weir = try WeirProcess(
                routes: routes.joined(separator: "\n"), rest: Self.oneWorker, launcher: names.launcher)
            try weir.scrape(until: "every look-up has failed") { samples in
                cases.allSatisfy { Self.resolves(samples, $0.name, "failure") == 1 }
            }
            for port in ports { try Self.kick(port) }
            let samples = try weir.scrape(until: "every dial has failed") {
                $0.total("weir_dial_failures_total") == cases.count
            }
            for entry in cases {
                #expect(Self.dialFailures(samples, entry.name, entry.reason) == 1)
                try weir.waitForLog(
                    "upstream name not resolved", "route=\(entry.name) ", "reason=\(entry.reason)")
                try weir.waitForLog("dial failed", "route=\(entry.name) ", "reason=\(entry.reason)")
            }
        }

        @Test("a name that never had an answer fails as dns_not_found, and the first answer serves the next client")
        func neverAnswered() throws {
            let names = try NameServer()
            let (server, datagrams) = (try TCPServer.echo(), try UDPServer.echo())
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("tcp", tcp, to: server.port, host: "new.weir.test"),
                    .route("udp", udp, to: datagrams.port, scheme: "udp4", host: "new.weir.test"),
                ].joined(separator: "\n"), rest: Self.oneWorker, launcher: names.launcher)
            try weir.scrape(until: "the look-up has failed") { Self.resolves($0, "udp", "failure") == 1 }
            let client = try UDPSocket()
            try Self.kick(tcp)
            try client.send([1], to: Endpoint(udp))
            // Both asked for a new answer, which is one look-up.
            let failed = try weir.scrape(until: "both have failed") {
                Self.resolves($0, "tcp", "failure") == 2 && $0.total("weir_udp_sessions_rejected_total") == 1
            }
            #expect(failed.total("weir_udp_sessions_rejected_total", ["reason": "no_upstream"]) == 1)
            #expect(failed.total("weir_udp_drops_total", ["direction": "ingress", "reason": "no_upstream"]) == 1)
            #expect(failed.total("weir_udp_drops_total") == 1)
            #expect(failed.closed("tcp", "dial_failed") == 1)
            for route in ["tcp", "udp"] {
                #expect(Self.dialFailures(failed, route, "dns_not_found") == 1)
                #expect(failed.total("weir_dials_total", ["route": route]) == 1)
                #expect(Self.resolves(failed, route, "success") == 0)
                #expect(Self.lastSuccess(failed, route) == 0)
            }
            names["new.weir.test"] = .addresses(["127.0.0.1"])
            try Self.waitASecond()
            try Self.kick(tcp)
            try weir.scrape(until: "the name has an answer") { Self.resolves($0, "tcp", "success") == 1 }
            try Self.echo(TestConnection(to: Endpoint(tcp)), "here")
            try client.send([2], to: Endpoint(udp))
            #expect(try client.receive().bytes == [2])
            let after = try weir.scrape()
            #expect(Self.dialFailures(after, "tcp", "dns_not_found") == 2)
            #expect(Self.dialFailures(after, "udp", "dns_not_found") == 1)
            for route in ["tcp", "udp"] {
                #expect(Self.resolves(after, route, "success") == 1)
                #expect(Self.resolves(after, route, "failure") == 2)
                #expect(Self.lastSuccess(after, route) ?? 0 > 1_700_000_000)
            }
        }

        @Test("a name with one family only is reached, and one with both whose server has only one")
        func oneFamily() throws {
            let names = try NameServer()
            names["a.weir.test"] = .addresses(["127.0.0.1"])
            names["aaaa.weir.test"] = .addresses(["::1"])
            names["both.weir.test"] = .addresses(["::1", "127.0.0.1"])
            let cases = [
                (route: "a", name: "a", listening: "127.0.0.1"), (route: "aaaa", name: "aaaa", listening: "::1"),
                (route: "both-4", name: "both", listening: "127.0.0.1"),
                (route: "both-6", name: "both", listening: "::1"),
            ]
            var routes: [String] = []
            var running: [(route: String, tcp: UInt16, udp: UInt16, TCPServer, UDPServer)] = []
            for entry in cases {
                let (server, datagrams) = (
                    try TCPServer.echo(host: entry.listening), try UDPServer.echo(host: entry.listening)
                )
                let (tcp, udp) = (try Ports.free(), try Ports.free())
                let host = "\(entry.name).weir.test"
                routes.append(.route(entry.route, tcp, to: server.port, host: host))
                routes.append(.route("\(entry.route)-udp", udp, to: datagrams.port, scheme: "udp4", host: host))
                running.append((entry.route, tcp, udp, server, datagrams))
            }
            let weir = try WeirProcess(
                routes: routes.joined(separator: "\n"), rest: Self.oneWorker, launcher: names.launcher)
            for (_, tcp, udp, _, _) in running {
                try Self.echo(TestConnection(to: Endpoint(tcp)), "either")
                let client = try UDPSocket()
                for number in UInt8(1)...2 {
                    try client.send([number], to: Endpoint(udp))
                    #expect(try client.receive().bytes == [number])
                }
            }
            let samples = try weir.scrape()
            for (route, _, _, server, datagrams) in running {
                #expect(server.accepted == 1)
                #expect(datagrams.received == 2)
                for route in [route, "\(route)-udp"] {
                    #expect(Self.resolves(samples, route, "success") == 1)
                    #expect(Self.resolves(samples, route, "failure") == 0)
                    #expect(samples.total("weir_dials_total", ["route": route]) == 1)
                    #expect(samples.total("weir_dial_failures_total", ["route": route]) == 0)
                }
            }
        }
    }
}
