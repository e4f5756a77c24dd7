import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Endurance")
    struct SoakTests {
        /// How long the mix runs: a few seconds as a rule, longer through scripts/soak and scripts/test --full.
        private static var seconds: Int {
            ProcessInfo.processInfo.environment["WEIR_SOAK_SECONDS"].flatMap { Int($0) } ?? 6
        }

        /// Readings of the process's resident memory.
        private struct Memory {
            private(set) var readings: [(seconds: Double, bytes: Double)] = []

            mutating func note(_ bytes: Int, after time: Duration) {
                readings.append((Double(time.components.seconds), Double(bytes)))
            }

            /// By how many bytes a second it grew over the second half, by least squares.
            var slope: Double {
                let half = readings.suffix(readings.count / 2)
                let count = Double(half.count)
                let (time, bytes) = half.reduce((0.0, 0.0)) { ($0.0 + $1.seconds / count, $0.1 + $1.bytes / count) }
                let spread = half.reduce(0) { $0 + ($1.seconds - time) * ($1.seconds - time) }
                guard spread > 0 else { return 0 }
                return half.reduce(0) { $0 + ($1.seconds - time) * ($1.bytes - bytes) } / spread
            }
        }

        /// Straight to standard error: a run that is cut off has shown its figures.
        private static func say(_ text: String) {
            FileHandle.standardError.write(Data("soak: \(text)\n".utf8))
        }

        private static func mebibytes(_ bytes: some BinaryInteger) -> String {
            String(format: "%.1f MiB", Double(bytes) / 1_048_576)
        }

        @Test("after a mix of everything descriptors, memory, gauges and books are where they should be")
        func mix() throws {
            let traffic = try SoakTraffic()
            let passing = try Ports.free()
            func routes(_ round: Int) -> String {
                var routes = traffic.routes
                if round % 3 == 1 { routes.append(.route("passing", passing, to: 9)) }
                if round % 5 == 4 { routes.append("broken: { scheme: tcp4, hots: \(round) }") }
                return routes.joined(separator: "\n")
            }
            // Each valid file changes the plan of every TCP route.
            func rest(_ round: Int) -> String {
                "log: { level: error }\ndefaults: { pre_dial_timeout: \(5 + round % 50)s }"
            }
            let weir = try WeirProcess(routes: routes(0), rest: rest(0))
            let descriptors = weir.process.descriptorCount
            try traffic.start()
            defer { traffic.stop() }

            let clock = ContinuousClock()
            let start = clock.now
            var (reloads, failed, signals, minute, told) = (0, 0, 0, 0, 0)
            var memory = Memory()
            var last = try weir.scrape()
            var mismatches: [String] = []
            while clock.now - start < .seconds(Self.seconds) {
                // The watcher takes a file once; a signal takes the same file once more.
                reloads += 1
                try weir.replaceConfiguration(routes: routes(reloads), rest: rest(reloads))
                if reloads % 5 == 4 { failed += 1 }
                let now = try weir.scrape(until: "file \(reloads) is taken or refused", deadline: .seconds(30)) {
                    $0.reloads("success") + $0.reloads("failure") == reloads + signals
                }
                mismatches += now.countersBehind(last) + Self.imbalances(now)
                last = now
                if reloads % 7 == 0, reloads % 5 != 4 {
                    signals += 1
                    weir.process.send(signal: SIGHUP)
                    try weir.scrape(until: "the signal is served", deadline: .seconds(30)) {
                        $0.reloads("success") + $0.reloads("failure") == reloads + signals
                    }
                }
                let passed = clock.now - start
                memory.note(weir.process.residentBytes, after: passed)
                if passed >= .seconds(60 * (minute + 1)) {
                    minute += 1
                    let failures = traffic.failures
                    Self.say(
                        "minute \(minute): \(Self.mebibytes(weir.process.residentBytes)) resident, "
                            + "\(weir.process.descriptorCount) descriptors, \(reloads) reloads, "
                            + "\(now.total("weir_tcp_connections_accepted_total")) connections, "
                            + "\(now.total("weir_udp_sessions_opened_total")) sessions, "
                            + "\(Self.mebibytes(now.total("weir_bytes_total"))), \(failures.count) failures")
                    if failures.count > told { Self.say("so far: \(failures.joined(separator: "; "))") }
                    told = failures.count
                }
            }
            traffic.stop()
            #expect(traffic.failures == [])
            #expect(mismatches == [])
            // A file unlike all before it, without the route that comes and goes.
            reloads += 1
            try weir.replaceConfiguration(routes: routes(-1), rest: rest(-1))
            let end = try weir.scrape(until: "everything has ended", deadline: .seconds(20)) {
                $0.reloads("success") + $0.reloads("failure") == reloads + signals
                    && $0["weir_connections_active"] == 0 && $0.total("weir_udp_sessions_active") == 0
            }
            Self.say(
                "\(Self.seconds) s: \(Self.mebibytes(weir.process.residentBytes)) resident, growing by "
                    + "\(Int(memory.slope * 60 / 1_024)) KiB a minute over the second half; "
                    + traffic.repeaters.map { "\($0) \($1.rounds)" }.sorted().joined(separator: ", "))
            try Self.expectBooks(end, traffic)
            #expect(end.reloads("failure") == failed)
            #expect(end.reloads("success") == reloads + signals - failed)
            try waitUntil("descriptors are back at \(descriptors)") { weir.process.descriptorCount <= descriptors }
            // What a leak of a hundred bytes for each connection would make of minutes; seconds are within the noise.
            #expect(memory.slope * Double(Self.seconds) / 2 < 6_000_000)
            #expect(weir.process.residentBytes < 192 << 20)
            #expect(try weir.stop() == .code(0))
        }

        private static func imbalances(_ samples: Samples) -> [String] {
            samples.matching("weir_route_info").compactMap { series, _ in
                let route = ["route": series.labels["route"] ?? ""]
                let isTCP = series.labels["protocol"] == "tcp"
                let family = isTCP ? "weir_tcp_connections" : "weir_udp_sessions"
                let began = samples.total("\(family)_\(isTCP ? "accepted" : "opened")_total", route)
                let parts = ["active", "closed_total", "rejected_total"].map { samples.total("\(family)_\($0)", route) }
                return began == parts.reduce(0, +) ? nil : "\(route): \(began) is not the sum of \(parts)"
            }
        }

        /// Expects the exact totals of every kind of traffic.
        private static func expectBooks(_ end: Samples, _ traffic: SoakTraffic) throws {
            func expect(_ route: String, closed reason: String) {
                let rounds = traffic.rounds(route)
                #expect(rounds > 3, "\(route)")
                #expect(end.accepted(route) == rounds, "\(route)")
                #expect(end.closed(route, reason) == rounds, "\(route)")
                #expect(end.closed(route) == rounds, "\(route)")
            }
            expect("small", closed: "client_eof")
            expect("upload", closed: "client_eof")
            expect("download", closed: "upstream_eof")
            expect("slow", closed: "upstream_eof")
            expect("client-reset", closed: "client_reset")
            expect("upstream-reset", closed: "upstream_reset")
            expect("dead", closed: "dial_failed")
            #expect(
                end.accepted("limited") == traffic.rounds("limited") + 1 && end.closed("limited", "client_eof") == 1)
            #expect(end.total("weir_dial_failures_total") == traffic.rounds("dead"))
            #expect(end.total("weir_dial_failures_total", ["reason": "refused"]) == traffic.rounds("dead"))
            #expect(
                end.total("weir_tcp_connections_rejected_total", ["reason": "route_limit"]) == traffic.rounds("limited")
            )
            for direction in ["ingress", "egress"] {
                #expect(end.bytes("small", direction) == traffic.rounds("small") * (1...20).reduce(0) { $0 + $1 * 50 })
            }
            func sum(_ route: String, _ limit: Int) -> Int {
                (0..<traffic.rounds(route)).reduce(0) { $0 + SoakTraffic.size($1, upTo: limit) }
            }
            #expect(end.bytes("upload", "ingress") == sum("upload", 600_000))
            #expect(end.bytes("download", "egress") == sum("download", 600_000))
            #expect(end.bytes("client-reset", "ingress") == sum("client-reset", 10_000))
            #expect(end.bytes("slow", "egress") == traffic.rounds("slow") * SoakTraffic.slow.count)
            #expect(end.bytes("upstream-reset", "egress") == traffic.rounds("upstream-reset") * SoakTraffic.resetAnswer)
            #expect(end.total("weir_tcp_backpressure_pauses_total", ["route": "slow", "direction": "egress"]) > 0)

            func datagrams(_ route: String, _ direction: String) -> Int {
                end.total("weir_udp_datagrams_total", ["route": route, "direction": direction])
            }
            let queries = traffic.rounds("udp-query")
            #expect(
                end.sessionsOpened("udp-query") == queries && end.sessionsClosed("udp-query", "responses") == queries)
            #expect(datagrams("udp-query", "ingress") == queries && datagrams("udp-query", "egress") == queries)
            let echoes = traffic.rounds("udp-echo")
            #expect(datagrams("udp-echo", "ingress") == echoes && datagrams("udp-echo", "egress") == echoes)
            let oneWay = traffic.rounds("udp-sink")
            #expect(datagrams("udp-sink", "ingress") == oneWay * SoakTraffic.oneWayDatagrams)
            // The kernel gives a port again, now and then while its session still waits.
            for (route, rounds) in [("udp-sink", oneWay), ("udp-dead", traffic.rounds("udp-dead"))] {
                let opened = end.sessionsOpened(route)
                #expect(opened > 3 && opened <= rounds, "\(route)")
                #expect(end.sessionsClosed(route, "idle") == opened, "\(route)")
                #expect(end.total("weir_udp_sessions_unanswered_total", ["route": route]) == opened, "\(route)")
            }
            #expect(end.total("weir_udp_drops_total") == 0)
        }
    }
}
