import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("The demo and the small commands")
    struct DemoTests {
        private static func start(exporter: UInt16, basePort: UInt16) throws -> ChildProcess {
            try ChildProcess(
                try Tool.weir(), ["demo", "--exporter", "127.0.0.1:\(exporter)", "--base-port", "\(basePort)"])
        }

        @Test("the demo shows every kind of traffic in its metrics and its table, and ends on SIGTERM")
        func demo() throws {
            let (exporter, base) = (try Ports.free(), try Ports.freeRange(100))
            let demo = try Self.start(exporter: exporter, basePort: base)
            let wanted: [(String, [String: String])] = [
                ("weir_bytes_total", ["protocol": "tcp", "direction": "ingress"]),
                ("weir_bytes_total", ["protocol": "tcp", "direction": "egress"]),
                ("weir_bytes_total", ["protocol": "udp", "direction": "ingress"]),
                ("weir_bytes_total", ["protocol": "udp", "direction": "egress"]),
                ("weir_dial_failures_total", ["reason": "refused"]),
                ("weir_dial_failures_total", ["reason": "timeout"]),
                ("weir_timeouts_total", ["kind": "dial"]),
                ("weir_tcp_connections_closed_total", ["reason": "client_eof"]),
                ("weir_udp_sessions_opened_total", [:]),
                ("weir_tcp_connections_rejected_total", ["reason": "acl"]),
                ("weir_udp_drops_total", ["reason": "acl"]),
                ("weir_acl_decisions_total", ["decision": "deny", "rule_kind": "cidr", "scope": "global"]),
                ("weir_acl_decisions_total", ["decision": "allow", "rule_kind": "local"]),
                ("weir_tcp_connections_rejected_total", ["reason": "rate_limit"]),
                ("weir_tcp_connections_rejected_total", ["reason": "per_ip_limit"]),
                ("weir_tcp_connections_rejected_total", ["reason": "hook"]),
                ("weir_throttle_pauses_total", ["direction": "egress"]),
                ("weir_pre_dial_duration_seconds_count", [:]),
                ("weir_dial_retries_total", ["route": "replicas", "result": "success"]),
                ("weir_upstream_ejections_total", ["route": "replicas", "upstream": "replica-3"]),
            ]
            try waitUntil("every kind of traffic has been counted", deadline: .seconds(40)) {
                if let exit = demo.exitIfEnded() {
                    throw DeadlineExceeded(description: "the demo ended (\(exit)): \(demo.output)\(demo.errorOutput)")
                }
                guard let response = try? HTTP.get("/metrics", port: exporter), response.status == 200 else {
                    return false
                }
                let samples = try Samples(response.text)
                return wanted.allSatisfy { samples.total($0.0, $0.1) > 0 }
            }
            let samples = try Samples.scrape(port: exporter, of: demo.processID)
            let routes = Set(samples.values.keys.compactMap { $0.labels["route"] })
            #expect(routes.count >= 4)
            try waitUntil("the table has a line for every route") { routes.allSatisfy(demo.output.contains) }
            demo.send(signal: SIGTERM)
            #expect(try demo.waitForExit(deadline: .seconds(45)) == .code(0))
        }

        @Test("a second demo on the same ports says so, and how to choose others")
        func takenPorts() throws {
            let (exporter, base) = (try Ports.free(), try Ports.freeRange(100))
            let first = try Self.start(exporter: exporter, basePort: base)
            try waitUntil("the first one runs", deadline: .seconds(20)) {
                if let exit = first.exitIfEnded() {
                    throw DeadlineExceeded(description: "the demo ended (\(exit)): \(first.errorOutput)")
                }
                return (try? HTTP.get("/readyz", port: exporter).status) == 200
            }
            let second = try Self.start(exporter: try Ports.free(), basePort: base)
            #expect(try second.waitForExit(deadline: .seconds(20)) == .code(1))
            #expect((second.output + second.errorOutput).contains("--base-port"))
            #expect(first.isRunning)
        }

        @Test("version, metrics and health answer")
        func smallCommands() throws {
            let version = try ChildProcess.run(try Tool.weir(), ["version"])
            #expect(version.succeeded, "\(version)")
            #expect(version.output.contains("weir"))
            let metrics = try ChildProcess.run(try Tool.weir(), ["metrics"])
            #expect(metrics.succeeded, "\(metrics)")
            for name in ["weir_bytes_total", "weir_dial_failures_total", "weir_udp_drops_total"] {
                #expect(metrics.output.contains(name))
            }
            let weir = try WeirProcess(routes: .route("idle", try Ports.free(), to: 9))
            let healthy = try ChildProcess.run(try Tool.weir(), ["health", "--config", weir.configurationPath])
            #expect(healthy.exit == .code(0), "\(healthy)")
            #expect(try weir.stop() == .code(0))
            let gone = try ChildProcess.run(try Tool.weir(), ["health", "--config", weir.configurationPath])
            #expect(gone.exit == .code(1), "\(gone)")
        }

        @Test("the metrics that weir metrics lists are those that weir run exports")
        func catalogueIsTrue() throws {
            let metrics = try ChildProcess.run(try Tool.weir(), ["metrics"])
            #expect(metrics.succeeded, "\(metrics)")
            let weir = try WeirProcess(
                routes: [
                    .route("tcp-route", try Ports.free(), to: 9),
                    .route("udp-route", try Ports.free(), to: 9, scheme: "udp4"),
                ].joined(separator: "\n"), rest: "acl: { deny: [\"ip:127.66.0.1\"] }")
            let samples = try weir.scrape()
            #expect(samples.types.count > 20)
            for (name, type) in samples.types {
                #expect(metrics.output.contains(name), "\(name) is exported but not listed")
                #expect(["counter", "gauge", "histogram"].contains(type))
                #expect(samples.helps[name]?.isEmpty == false, "\(name) has no help")
            }
        }
    }
}
