import TestSupport
import Testing

extension Integration {
    /// The address of this machine from which a session reaches its upstream.
    @Suite("Our own address towards a UDP upstream", .timeLimit(.minutes(2)))
    struct OwnAddressTests {
        enum Family: String, CaseIterable {
            case ipv4, ipv6
        }

        @Test(
            "it changes while a client keeps sending: the session goes on, and that is counted",
            arguments: Family.allCases)
        func changes(family: Family) throws {
            let (home, far) = (try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(home, far, net: 77)
            let isIPv4 = family == .ipv4
            let (old, new, upstream) =
                isIPv4 ? ("10.77.0.1/24", "10.77.0.3/24", "10.77.0.2") : ("fd77::1/64", "fd77::3/64", "fd77::2")
            if !isIPv4 {
                try home.ip("address add \(old) dev cable77 nodad")
                try far.ip("address add \(upstream)/64 dev cable77 nodad")
            }
            let server = try far.run { try UDPServer.echo(host: upstream) }
            try home.run {
                let port = try Ports.free()
                let weir = try WeirProcess(
                    routes: .route("udp", port, to: server.port, scheme: "udp", host: "\"\(upstream)\""),
                    launcher: home.launcher)
                let client = try UDPSocket()
                for number in 0..<3 as Range<UInt8> {
                    try client.send([number], to: Endpoint(port))
                    #expect(try client.receive().bytes == [number])
                }
                if isIPv4 { try home.set("ipv4/conf/all/promote_secondaries", "1") }
                try home.ip("address add \(new) dev cable77\(isIPv4 ? "" : " nodad")")
                try home.ip("address del \(old) dev cable77")
                var sent = 3
                try waitUntil("the session is answered again", deadline: .seconds(20)) {
                    sent += 1
                    try client.send([9], to: Endpoint(port))
                    return client.isReadable(within: 200)
                }
                let samples = try weir.scrape()
                let moved = "weir_udp_sessions_moved_total"
                #expect(samples.total(moved, ["route": "udp", "reason": "own_address_changed"]) == 1)
                #expect(samples.total(moved) == 1)
                #expect(samples.total("weir_udp_upstream_errors_total") == 0)
                #expect(samples.total("weir_udp_drops_total") == 0)
                #expect(samples.total("weir_udp_sessions_opened_total") == 1)
                #expect(samples.total("weir_udp_datagrams_total", ["direction": "ingress"]) == sent)
            }
        }

        @Test("it goes and no other leads there: dropped by name, the upstream is not blamed; then one comes back")
        func goes() throws {
            let (home, far) = (try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(home, far, net: 77)
            let server = try far.run { try UDPServer.echo(host: "10.77.0.2") }
            try home.run {
                let port = try Ports.free()
                let weir = try WeirProcess(
                    routes: .route("udp", port, to: server.port, scheme: "udp4", host: "10.77.0.2"),
                    launcher: home.launcher)
                let client = try UDPSocket()
                try client.send([1], to: Endpoint(port))
                #expect(try client.receive().bytes == [1])
                try home.ip("address del 10.77.0.1/24 dev cable77")
                for number in 1...5 {
                    try client.send([2], to: Endpoint(port))
                    try weir.scrape(until: "datagram \(number) is dropped by name") {
                        $0.total("weir_udp_drops_total", ["reason": "address_unavailable"]) == number
                    }
                }
                let samples = try weir.scrape()
                #expect(samples.total("weir_udp_drops_total") == 5)
                #expect(samples.total("weir_udp_upstream_errors_total") == 0)
                try home.ip("address add 10.77.0.7/24 dev cable77")
                try waitUntil("the session is answered again", deadline: .seconds(20)) {
                    try client.send([3], to: Endpoint(port))
                    return client.isReadable(within: 200)
                }
                let moved = try weir.scrape().total("weir_udp_sessions_moved_total", ["reason": "own_address_changed"])
                #expect(moved == 1)
            }
        }
    }
}
