import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("UDP upstreams that fail, and come back", .timeLimit(.minutes(2)))
    struct UDPUpstreamFaultTests {
        private static func count(_ samples: Samples, _ name: String, _ route: String, _ labels: [String: String] = [:])
            -> Int
        {
            samples.total("weir_udp_\(name)", labels.merging(["route": route]) { given, _ in given })
        }

        /// Sends one datagram at a time, each after the counter has seen the one before.
        private static func send(
            _ count: Int, from client: UDPSocket, to port: UInt16, of weir: WeirProcess, reason: String, first: Int
        ) throws {
            for number in first..<first + count {
                try client.send(Array("\(number)".utf8), to: Endpoint(port))
                try weir.scrape(until: "error \(number) is counted") {
                    $0.total("weir_udp_upstream_errors_total", ["reason": reason]) >= number
                }
            }
        }

        @Test("a dead port: each datagram that it refuses is one error; the session sees it go and come back twice")
        func refused() throws {
            let upstreamPort = try Ports.free()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: upstreamPort, scheme: "udp4"))
            let client = try UDPSocket()
            var errors = 0
            for visit in 1...2 {
                try Self.send(20, from: client, to: port, of: weir, reason: "refused", first: errors + 1)
                errors += 20
                let server = try UDPServer.echo(port: upstreamPort)
                for number in 0..<5 {
                    // The first after its return passes, and each after that.
                    try client.send([UInt8(visit), UInt8(number)], to: Endpoint(port))
                    #expect(try client.receive().bytes == [UInt8(visit), UInt8(number)])
                }
                #expect(server.received == 5)
                try server.stop()
            }
            let samples = try weir.scrape()
            let labels = ["route": "udp", "protocol": "udp", "upstream": "127.0.0.1:\(upstreamPort)"]
            for (reason, count) in [("refused", 40), ("unreachable", 0), ("too_big", 0), ("other", 0)] {
                let reason = ["reason": reason]
                #expect(
                    samples["weir_udp_upstream_errors_total", labels.merging(reason) { $1 }] == Double(count))
            }
            #expect(Self.count(samples, "datagrams_total", "udp", ["direction": "ingress"]) == 50)
            #expect(Self.count(samples, "datagrams_total", "udp", ["direction": "egress"]) == 10)
            #expect(Self.count(samples, "drops_total", "udp") == 0)
            #expect(Self.count(samples, "sessions_opened_total", "udp") == 1)
            #expect(Self.count(samples, "sessions_active", "udp") == 1)
            #expect(samples.total("weir_dial_failures_total") == 0)
        }

        @Test("an upstream without a way there ends the session at once, by name; the next one works when there is one")
        func unreachableFromTheStart() throws {
            let network = try NetworkNamespace()
            try network.ip("route add unreachable 10.99.0.1/32")
            try network.ip("route add prohibit 10.99.0.2/32")
            let cases = [
                (route: "unreachable", host: "10.99.0.1", reason: "unreachable"),
                (route: "prohibited", host: "10.99.0.2", reason: "permission"),
                (route: "nowhere", host: "10.99.0.3", reason: "unreachable"),
            ]
            try network.run {
                let ports = try cases.map { _ in try Ports.free() }
                let upstreamPort = try Ports.free()
                let routes = zip(cases, ports).map {
                    String.route($0.route, $1, to: upstreamPort, scheme: "udp4", host: $0.host)
                }
                let weir = try WeirProcess(routes: routes.joined(separator: "\n"), launcher: network.launcher)
                for (entry, port) in zip(cases, ports) {
                    let clients = try (0..<3).map { _ in try UDPSocket() }
                    for client in clients { try client.send([1], to: Endpoint(port)) }
                    let samples = try weir.scrape(until: "three sessions of \(entry.route) have failed") {
                        Self.count($0, "sessions_closed_total", entry.route) == 3
                    }
                    Self.expectFailedDials(
                        samples, entry.route, "\(entry.host):\(upstreamPort)", reason: entry.reason, count: 3)
                    // Now there is a route and a server at its end: clients that failed before are served, too.
                    try? network.ip("route delete \(entry.host)/32")
                    try network.ip("address add \(entry.host)/32 dev lo")
                    let server = try UDPServer.echo(host: entry.host, port: upstreamPort)
                    for client in clients {
                        try client.send([2], to: Endpoint(port))
                        #expect(try client.receive().bytes == [2])
                    }
                    #expect(server.received == 3)
                    let later = try weir.scrape()
                    #expect(Self.count(later, "sessions_opened_total", entry.route) == 6)
                    #expect(Self.count(later, "sessions_active", entry.route) == 3)
                    #expect(later.total("weir_dials_total", ["route": entry.route]) == 6)
                }
            }
        }

        /// Expects the totals of sessions that failed at the dial, with one datagram each.
        private static func expectFailedDials(
            _ samples: Samples, _ route: String, _ upstream: String, reason: String, count: Int
        ) {
            let labels = ["route": route, "protocol": "udp", "upstream": upstream]
            #expect(
                samples["weir_dial_failures_total", labels.merging(["reason": reason]) { $1 }] == Double(count))
            #expect(samples.total("weir_dial_failures_total", ["route": route]) == count)
            #expect(samples.total("weir_dials_total", ["route": route]) == count)
            #expect(Self.count(samples, "sessions_opened_total", route) == count)
            #expect(Self.count(samples, "sessions_closed_total", route, ["reason": "upstream_error"]) == count)
            #expect(Self.count(samples, "sessions_closed_total", route) == count)
            #expect(Self.count(samples, "sessions_active", route) == 0)
            #expect(Self.count(samples, "drops_total", route, ["direction": "ingress", "reason": "error"]) == count)
            #expect(Self.count(samples, "drops_total", route) == count)
            #expect(Self.count(samples, "datagrams_total", route) == 0)
            #expect(samples.total("weir_upstream_connections_active", ["route": route]) == 0)
        }

        /// The ways in which the route to an upstream can end under a session, and the fate of its datagrams.
        enum Cut: String, CaseIterable {
            /// The local kernel refuses to send.
            case ownRoute
            /// A router answers that it may not pass them on.
            case router
            /// A router answers that the host is unreachable, as the local kernel does if no neighbor has the address.
            case host
        }

        @Test("a way that ends under a session shows as unreachable; the session outlives it", arguments: Cut.allCases)
        func unreachableInTheMiddle(cut: Cut) throws {
            let (home, router, far) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(home, router, net: 77)
            try NetworkNamespace.connect(router, far, net: 78)
            try router.set("ipv4/ip_forward", "1")
            // Even so it answers a handful at once, and later ones once a second.
            try router.set("ipv4/icmp_ratelimit", "0")
            try home.ip("route add 10.78.0.0/24 via 10.77.0.2")
            try far.ip("route add 10.77.0.0/24 via 10.78.0.1")
            let server = try far.run { try UDPServer.echo(host: "10.78.0.2") }
            try home.run {
                let port = try Ports.free()
                let weir = try WeirProcess(
                    routes: .route("udp", port, to: server.port, scheme: "udp4", host: "10.78.0.2"),
                    launcher: home.launcher)
                let client = try UDPSocket()
                try client.send([1], to: Endpoint(port))
                #expect(try client.receive().bytes == [1])
                let changedNetwork = cut == .ownRoute ? home : router
                let kind = cut == .router ? "prohibit" : "unreachable"
                try changedNetwork.ip("route add \(kind) 10.78.0.2/32")
                do {
                    try Self.send(4, from: client, to: port, of: weir, reason: "unreachable", first: 1)
                } catch {
                    // Whether the router has answered at all, and whether the answers came here.
                    let counters = try [home, router].map { network in
                        try network.run { contents(of: "/proc/thread-self/net/snmp") }
                            .split(separator: "\n").filter { $0.hasPrefix("Icmp") || $0.hasPrefix("Udp:") }
                    }
                    Issue.record("\(error): \(counters)")
                    return
                }
                try changedNetwork.ip("route delete \(kind) 10.78.0.2/32")
                try client.send([2], to: Endpoint(port))
                #expect(try client.receive().bytes == [2])
                // Counted after it was sent, so its reader may be quicker.
                let samples = try weir.scrape(until: "the second answer is counted") {
                    Self.count($0, "datagrams_total", "udp", ["direction": "egress"]) == 2
                }
                // A datagram that a router refused has left this host; one that the local kernel refused was dropped
                // here.
                let dropped = cut == .ownRoute ? 4 : 0
                #expect(samples.total("weir_udp_upstream_errors_total", ["reason": "unreachable"]) == 4)
                #expect(samples.total("weir_udp_upstream_errors_total") == 4)
                #expect(Self.count(samples, "drops_total", "udp", ["reason": "error"]) == dropped)
                #expect(Self.count(samples, "drops_total", "udp") == dropped)
                #expect(Self.count(samples, "datagrams_total", "udp", ["direction": "ingress"]) == 6 - dropped)
                #expect(Self.count(samples, "sessions_opened_total", "udp") == 1)
                #expect(Self.count(samples, "sessions_closed_total", "udp") == 0)
                #expect(server.received == 2)
            }
        }

        @Test("no descriptor left for a session: it fails as fd_limit, others go on, and the next one works again")
        func descriptorLimit() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: server.port, scheme: "udp4"))
            let known = try UDPSocket()
            try known.send([1], to: Endpoint(port))
            _ = try known.receive()
            let exporter = try TestConnection(to: Endpoint(weir.exporterPort))
            _ = try weir.scrape(on: exporter)
            let limit = try weir.process.leaveDescriptors(0)
            let clients = try (0..<5).map { _ in try UDPSocket() }
            for client in clients { try client.send([2], to: Endpoint(port)) }
            let upstream = ["upstream": "127.0.0.1:\(server.port)"]
            let samples = try waitFor("five sessions have failed") {
                let samples = try weir.scrape(on: exporter)
                return Self.count(samples, "sessions_closed_total", "udp") == 5 ? samples : nil
            }
            #expect(
                samples.total("weir_dial_failures_total", upstream.merging(["reason": "fd_limit"]) { $1 }) == 5)
            #expect(samples.total("weir_dial_failures_total") == 5)
            #expect(Self.count(samples, "sessions_closed_total", "udp", ["reason": "upstream_error"]) == 5)
            #expect(Self.count(samples, "drops_total", "udp", ["direction": "ingress", "reason": "error"]) == 5)
            #expect(Self.count(samples, "sessions_active", "udp") == 1)
            try known.send([3], to: Endpoint(port))
            #expect(try known.receive().bytes == [3])
            try weir.process.limitDescriptors(to: limit)
            for client in clients {
                try client.send([4], to: Endpoint(port))
                #expect(try client.receive().bytes == [4])
            }
            let later = try weir.scrape()
            #expect(Self.count(later, "sessions_opened_total", "udp") == 11)
            #expect(Self.count(later, "sessions_active", "udp") == 6)
            #expect(later.total("weir_dial_failures_total") == 5)
        }

        /// The ways in which local ports run out.
        enum Shortage: CaseIterable {
            /// The sessions alone would use the whole range: the bound of sessions knows it.
            case range
            /// Other programs have most of the range.
            case otherPrograms
        }

        @Test(
            "no local port left: one route's flood makes room for the next client of any route",
            arguments: Shortage.allCases)
        func portsUsedUp(shortage: Shortage) throws {
            let network = try NetworkNamespace()
            try network.set("ipv4/ip_local_port_range", shortage == .range ? "40000 40007" : "40000 40015")
            try network.run {
                // The bound leaves one port to others; with those of other programs, seven are left in either case.
                let others = shortage == .range ? 0 : 9
                let taken = try (0..<others).map { try UDPSocket(bindingTo: Endpoint(40_000 + UInt16($0))) }
                let silent = try UDPServer { _ in [] }
                let server = try UDPServer.echo()
                let (flooded, port) = (try Ports.free(), try Ports.free())
                let weir = try WeirProcess(
                    routes: [
                        .route("flooded", flooded, to: silent.port, scheme: "udp4"),
                        .route("dns", port, to: server.port, scheme: "udp4"),
                    ].joined(separator: "\n"), rest: "workers: 1", launcher: network.launcher)
                // Theirs are chosen here: the kernel's belong to the sessions.
                for number in 0..<30 {
                    let client = try UDPSocket(bindingTo: Endpoint("127.66.1.\(1 + number)", 50_000))
                    try client.send([1], to: Endpoint(flooded))
                }
                try weir.scrape(until: "the flood is over") { Self.count($0, "sessions_opened_total", "flooded") == 30 }
                for number in 0..<10 {
                    let client = try UDPSocket(bindingTo: Endpoint("127.67.1.\(1 + number)", 50_000))
                    try client.send([UInt8(number)], to: Endpoint(port))
                    #expect(try client.receive().bytes == [UInt8(number)])
                }
                let samples = try weir.scrape()
                #expect(samples.total("weir_dial_failures_total") == 0)
                #expect(samples.total("weir_udp_drops_total") == 0)
                #expect(samples.total("weir_udp_sessions_active") == 7)
                #expect(samples.total("weir_udp_sessions_closed_total", ["reason": "evicted"]) == 33)
                #expect(samples.total("weir_udp_sessions_closed_total") == 33)
                taken.forEach { $0.close() }
            }
        }
    }
}
