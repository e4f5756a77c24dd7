import Foundation
import TestSupport
import Testing

extension Integration {
    /// In a network of their own, where routes and ports can be taken away.
    @Suite("Upstreams that the system cannot reach")
    struct UnreachableUpstreamTests {
        private static func dialFailures(_ samples: Samples, _ route: String, _ reason: String? = nil) -> Int {
            var labels = ["route": route]
            labels["reason"] = reason
            return samples.total("weir_dial_failures_total", labels)
        }

        @Test(
            "a forbidden, a missing and an odd way to the upstream each count under their reason, until there is one",
            arguments: [
                ("prohibit 10.9.0.2/32", "permission"), ("unreachable 10.9.0.2/32", "unreachable"),
                ("blackhole 10.9.0.2/32", "other"), (nil, "unreachable"),
            ])
        func noWay(way: String?, reason: String) throws {
            let network = try NetworkNamespace()
            try network.run {
                let port = try Ports.free()
                let upstreamPort = try Ports.free()
                if let way { try network.ip("route add \(way)") }
                let weir = try WeirProcess(
                    routes: .route("away", port, to: upstreamPort, host: "10.9.0.2"), launcher: network.launcher)
                for _ in 0..<5 { #expect(try TestConnection(to: Endpoint(port)).receive().ending == .reset) }
                let failed = try weir.scrapeWhenIdle("away")
                #expect(Self.dialFailures(failed, "away", reason) == 5)
                #expect(Self.dialFailures(failed, "away") == 5)
                #expect(failed.closed("away", "dial_failed") == 5)
                try weir.waitForLog("away", "10.9.0.2:\(upstreamPort)", reason)

                if let way { try network.ip("route delete \(way)") }
                try network.ip("address add 10.9.0.2/32 dev lo")
                let server = try TCPServer.echo(host: "10.9.0.2", port: upstreamPort)
                defer { withExtendedLifetime(server) {} }
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(1).text == "?")
                client.close()
                let samples = try weir.scrapeWhenIdle("away")
                #expect(samples.closed("away", "client_eof") == 1)
                #expect(Self.dialFailures(samples, "away") == 5)
                #expect(samples.total("weir_dials_total") == 6)
            }
        }

        @Test("without a local port a dial fails as address_unavailable, and the next one has the port that was freed")
        func localPorts() throws {
            let (network, clients) = (try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(network, clients, net: 81)
            try network.run {
                let server = try TCPServer.echo()
                let port = try Ports.free()
                let ports = 4
                try network.set("ipv4/ip_local_port_range", "40000 \(40_000 + ports - 1)")
                let weir = try WeirProcess(routes: .route("ports", port, to: server.port), launcher: network.launcher)
                func visit() throws -> TestConnection {
                    try clients.run { try TestConnection(to: Endpoint("10.81.0.1", port)) }
                }
                let served = try (0..<ports).map { _ in
                    let client = try visit()
                    try client.send("?")
                    #expect(client.receive(1).text == "?")
                    return client
                }
                for _ in 0..<3 { #expect(try visit().receive().ending == .reset) }
                let full = try weir.scrape(until: "three have failed") { $0.closed("ports") == 3 }
                #expect(Self.dialFailures(full, "ports", "address_unavailable") == 3)
                #expect(Self.dialFailures(full, "ports") == 3)
                #expect(full.closed("ports", "dial_failed") == 3)
                #expect(full.active("ports") == ports)

                // A reset leaves no port in TIME_WAIT.
                try served[0].reset()
                try weir.scrape(until: "a port is free") { $0.closed("ports", "client_reset") == 1 }
                let next = try visit()
                try next.send("!")
                #expect(next.receive(1).text == "!")
                #expect(try Self.dialFailures(weir.scrape(), "ports") == 3)
            }
        }

        @Test("a way that is lost under a connection ends it as an error once the kernel gives up")
        func wayIsLost() throws {
            let (network, far) = (try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(network, far, net: 82)
            let server = try far.run { try TCPServer.echo(host: "10.82.0.2") }
            try network.run {
                let port = try Ports.free()
                let weir = try WeirProcess(
                    routes: .route("lost", port, to: server.port, host: "10.82.0.2", "tcp_user_timeout: 1s"),
                    launcher: network.launcher)
                let client = try TestConnection(to: Endpoint(port))
                try client.send("before")
                #expect(client.receive(6).text == "before")
                // A router that refuses: the kernel's last error is EHOSTUNREACH in place of ETIMEDOUT (tcp(7)).
                let rule = "INPUT -i cable82 -j REJECT --reject-with icmp-host-unreachable"
                try far.command("iptables-legacy", "-A \(rule)")
                try client.send("behind")
                #expect(client.receive().ending == .reset)
                let samples = try weir.scrapeWhenIdle("lost")
                #expect(samples.closed("lost", "error") == 1)
                #expect(samples.closed("lost") == 1)
                #expect(samples.bytes("lost", "ingress") == 12)
                #expect(samples.bytes("lost", "egress") == 6)
                #expect(samples.total("weir_timeouts_total") == 0)

                try far.command("iptables-legacy", "-D \(rule)")
                let next = try TestConnection(to: Endpoint(port))
                try next.send("again")
                #expect(next.receive(5).text == "again")
            }
        }
    }
}
