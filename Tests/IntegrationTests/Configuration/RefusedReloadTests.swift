import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A reload that is refused late")
    struct RefusedReloadTests {
        private static let noDrain = "shutdown: { drain_timeout: 0s }"

        /// Replaces the configuration and waits until the reload was refused.
        private static func refuse(_ weir: WeirProcess, routes: [String], rest: String) throws {
            let before = try weir.scrape().reloads("failure")
            try weir.replaceConfiguration(routes: routes.joined(separator: "\n"), rest: rest)
            weir.process.send(signal: SIGHUP)
            try weir.scrape(until: "the reload is refused") { $0.reloads("failure") > before }
        }

        @Test(
            "an address that overlaps a removed one and cannot be bound leaves connections, sessions and sockets alone")
        func overlap() throws {
            let (echo, datagrams) = (try TCPServer.echo(), try UDPServer { [Array("\($0.source.port)".utf8)] })
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            let wide = [
                String.route("tcp", tcp, to: echo.port), .route("udp", udp, to: datagrams.port, scheme: "udp4"),
            ]
            let weir = try WeirProcess(routes: wide.joined(separator: "\n"), rest: Self.noDrain)
            let sockets = [SocketTable(.tcp).listening(on: tcp), SocketTable(.udp).listening(on: udp)]
            let (client, player) = (try TestConnection(to: Endpoint(tcp)), try UDPSocket())
            try client.send("x")
            #expect(client.receive(1).text == "x")
            try player.send([1], to: Endpoint(udp))
            let identity = try player.receive().bytes

            // The good one of them is bound before the bad one is found.
            for scheme in ["tcp4", "udp4"] {
                let (port, upstream) = scheme == "tcp4" ? (tcp, echo.port) : (udp, datagrams.port)
                try Self.refuse(
                    weir,
                    routes: [
                        .route("good", port, to: upstream, scheme: scheme, "bind: 127.0.0.1"),
                        .route("bad", port, to: upstream, scheme: scheme, "bind: 192.0.2.1"),
                    ], rest: Self.noDrain)
            }
            try client.send("y")
            #expect(client.receive(1).text == "y")
            try player.send([2], to: Endpoint(udp))
            #expect(try player.receive().bytes == identity)
            let other = try TestConnection(to: Endpoint(tcp))
            try other.send("z")
            #expect(other.receive(1).text == "z")
            #expect([SocketTable(.tcp).listening(on: tcp), SocketTable(.udp).listening(on: udp)] == sockets)
            let samples = try weir.scrape()
            #expect(samples.closed("tcp") == 0 && samples.active("tcp") == 2)
            #expect(samples.sessionsOpened("udp") == 1 && samples.sessionsActive("udp") == 1)
        }

        @Test("an address within the removed one takes over, and what the old one carries drains")
        func takeover() throws {
            let (one, two) = (try TCPServer.echo(), try UDPServer.echo())
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            func routes(_ bind: String) -> [String] {
                [
                    .route("tcp", tcp, to: one.port, bind), .route("udp", udp, to: two.port, scheme: "udp4", bind),
                ]
            }
            let weir = try WeirProcess(routes: routes("bind: 0.0.0.0").joined(separator: "\n"))
            for bind in ["bind: 127.0.0.1", "bind: 0.0.0.0", "bind: 127.0.0.1"] {
                let (client, player) = (try TestConnection(to: Endpoint(tcp)), try UDPSocket())
                try client.send("x")
                #expect(client.receive(1).text == "x")
                try weir.reload(routes: routes(bind))
                try client.send("y")
                #expect(client.receive(1).text == "y")
                let next = try TestConnection(to: Endpoint(tcp))
                try next.send("z")
                #expect(next.receive(1).text == "z")
                try player.send([1], to: Endpoint(udp))
                #expect(try player.receive().bytes == [1])
            }
        }
    }
}
