import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("dnsperf and dig against unbound, UDP and TCP on one port number")
    struct DNSTrafficTests {
        private static func routes(_ port: UInt16, to upstream: UInt16) -> String {
            """
            dns-udp: { scheme: udp4, host: 127.0.0.1, port: "\(port):\(upstream)" }
            dns-tcp: { scheme: tcp4, host: 127.0.0.1, port: "\(port):\(upstream)" }
            """
        }

        /// The header, the name with its length bytes, type and class (RFC 1035, section 4.1).
        private static let questionBytes = 12 + ("host10." + Unbound.zone).utf8.count + 2 + 4
        /// The question again, and one answer: a pointer to the name, type, class, TTL, length and address.
        private static let answerBytes = questionBytes + 16

        @Test("dig gets the same answer over both")
        func digBothWays() throws {
            let unbound = try Unbound()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: Self.routes(port, to: unbound.port))
            for transport in ["+notcp", "+tcp"] {
                let run = try ChildProcess.run(
                    "dig",
                    ["@127.0.0.1", "-p", "\(port)", "host42.\(Unbound.zone)", "A", "+short", "+tries=1", transport])
                #expect(run.succeeded, "\(run)")
                #expect(run.output == "192.0.2.42\n", "\(transport): \(run)")
            }
            let samples = try weir.scrapeWhenIdle("dns-tcp")
            #expect(samples.accepted("dns-tcp") == 1)
            #expect(samples.total("weir_udp_sessions_opened_total", ["route": "dns-udp"]) == 1)
        }

        @Test("the C library asks for both families from one port: with `responses: 1` it has both answers")
        func resolverAsksTwice() throws {
            let unbound = try Unbound()
            let address = "127.78.\(Int.random(in: 0...254)).\(Int.random(in: 1...254))"
            let weir = try WeirProcess(
                routes: "dns: { scheme: udp4, bind: \(address), host: 127.0.0.1, port: \"53:\(unbound.port)\", "
                    + "responses: 1 }")
            let resolver = try ResolverSettings(nameServer: address)
            let launcher = resolver.launcher
            let lookups = 20
            for number in 0..<lookups {
                let host = "host\(10 + number).\(Unbound.zone)"
                let run = try ChildProcess.run(launcher[0], launcher.dropFirst() + ["getent", "ahosts", host])
                #expect(run.output.hasPrefix("192.0.2.\(10 + number) "), "\(run)")
            }
            let samples = try weir.scrape(until: "every session is over") { $0.sessionsActive("dns") == 0 }
            for direction in ["ingress", "egress"] {
                #expect(
                    samples.total("weir_udp_datagrams_total", ["route": "dns", "direction": direction]) == 2 * lookups)
            }
            #expect(samples.total("weir_udp_drops_total") == 0)
            #expect(samples.sessionsClosed("dns", "responses") == samples.sessionsOpened("dns"))
        }

        @Test("dnsperf over UDP: no query is lost, and datagrams and bytes are exact")
        func dnsperfUDP() throws {
            let unbound = try Unbound()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: Self.routes(port, to: unbound.port))
            let result = try Self.dnsperf("udp", port: port, questions: unbound.writeQuestions(), rounds: 200)
            #expect(result.sent == 200 * 64)
            #expect(result.completed == result.sent)
            let samples = try weir.scrape()
            for (direction, count, size) in [
                ("ingress", result.sent, Self.questionBytes), ("egress", result.completed, Self.answerBytes),
            ] {
                let labels = ["route": "dns-udp", "direction": direction]
                #expect(samples.total("weir_udp_datagrams_total", labels) == count)
                #expect(samples.bytes("dns-udp", direction) == count * size)
                #expect(samples.total("weir_udp_drops_total", labels) == 0)
            }
        }

        @Test("dnsperf over TCP: no query is lost, and bytes are exact")
        func dnsperfTCP() throws {
            let unbound = try Unbound()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: Self.routes(port, to: unbound.port))
            let result = try Self.dnsperf("tcp", port: port, questions: unbound.writeQuestions(), rounds: 100)
            #expect(result.sent == 100 * 64)
            #expect(result.completed == result.sent)
            let samples = try weir.scrapeWhenIdle("dns-tcp")
            // Over TCP each message has its length in front (RFC 1035, section 4.2.2).
            #expect(samples.bytes("dns-tcp", "ingress") == result.sent * (Self.questionBytes + 2))
            #expect(samples.bytes("dns-tcp", "egress") == result.completed * (Self.answerBytes + 2))
        }

        private static func dnsperf(
            _ mode: String, port: UInt16, questions: String, rounds: Int
        ) throws -> (sent: Int, completed: Int) {
            let run = try ChildProcess.run(
                "dnsperf",
                [
                    "-m", mode, "-s", "127.0.0.1", "-p", "\(port)", "-d", questions, "-n", "\(rounds)", "-c", "4",
                    "-q", "50",
                ])
            #expect(run.succeeded, "\(run)")
            func number(_ label: String) -> Int {
                let line = run.output.split(separator: "\n").first { $0.contains(label) }
                let word = line?.split(separator: ":").last?.split(separator: " ").first
                return word.flatMap { Int($0) } ?? -1
            }
            return (number("Queries sent"), number("Queries completed"))
        }
    }
}
