import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("What a reload keeps")
    struct ReloadKeepTests {
        /// Answers each byte with its name.
        private static func named(_ name: String) throws -> TCPServer {
            try TCPServer { connection in
                while !connection.receive(1).bytes.isEmpty { try connection.send(name) }
            }
        }

        /// Answers with its name and the port that the question came from: equal answers mean the same session.
        private static func namedUDP(_ name: String) throws -> UDPServer {
            try UDPServer { [Array("\(name):\($0.source.port)".utf8)] }
        }

        private static func ask(_ client: TestConnection) throws -> String {
            try client.send("?")
            return client.receive(3).text
        }

        private static func ask(_ client: UDPSocket, _ port: UInt16) throws -> String {
            try client.send([1], to: Endpoint(port))
            return String(decoding: try client.receive().bytes, as: UTF8.self)
        }

        @Test("an address that stays keeps its sockets, connections and sessions, whatever else changes of its route")
        func addressStays() throws {
            let (one, two) = (try Self.named("one"), try Self.named("two"))
            let (first, second) = (try Self.namedUDP("one"), try Self.namedUDP("two"))
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("old-tcp", tcp, to: one.port), .route("old-udp", udp, to: first.port, scheme: "udp4"),
                ].joined(separator: "\n"), rest: "workers: 2")
            let sockets = [SocketTable(.tcp).listening(on: tcp), SocketTable(.udp).listening(on: udp)]
            #expect(sockets.map(\.count) == [2, 2])
            let client = try TestConnection(to: Endpoint(tcp))
            #expect(try Self.ask(client) == "one")
            let player = try UDPSocket()
            let identity = try Self.ask(player, udp)
            #expect(try Self.ask(player, udp) == identity)

            try weir.reload(
                routes: [
                    .route("new-tcp", tcp, to: two.port, "max_connections: 2", "dial_timeout: 3s"),
                    .route("new-udp", udp, to: second.port, scheme: "udp4", "max_sessions: 2", "idle_timeout: 1m"),
                ], rest: "workers: 2")
            #expect([SocketTable(.tcp).listening(on: tcp), SocketTable(.udp).listening(on: udp)] == sockets)
            // Open connections stay at the old upstream; new ones go to the new upstream, within the new limits.
            #expect(try Self.ask(client) == "one")
            #expect(try Self.ask(player, udp) == identity)
            let newClient = try TestConnection(to: Endpoint(tcp))
            #expect(try Self.ask(newClient) == "two")
            let newPlayer = try UDPSocket()
            let newIdentity = try Self.ask(newPlayer, udp)
            #expect(newIdentity.hasPrefix("two:"))
            #expect(try Self.ask(newPlayer, udp) == newIdentity)
            #expect(try TestConnection(to: Endpoint(tcp)).receive().ending == .reset)
            try UDPSocket().send([1], to: Endpoint(udp))

            let samples = try weir.scrape(until: "those beyond the limits are rejected") {
                $0.sessionsRejected("new-udp") == 1
                    && $0.total("weir_tcp_connections_rejected_total", ["route": "new-tcp"]) == 1
            }
            #expect(samples["weir_tcp_connections_rejected_total", ["route": "new-tcp", "reason": "route_limit"]] == 1)
            #expect(samples.sessionsRejected("new-udp", "session_limit") == 1)
            #expect(samples.accepted("old-tcp") == 1 && samples.accepted("new-tcp") == 2)
            #expect(samples.active("old-tcp") == 1 && samples.active("new-tcp") == 1)
            #expect(samples.sessionsOpened("old-udp") == 1 && samples.sessionsOpened("new-udp") == 2)
            #expect(samples.sessionsActive("old-udp") == 1 && samples.sessionsActive("new-udp") == 1)
            #expect(samples["weir_tcp_connections_limit", ["route": "new-tcp"]] == 2)
            #expect(samples["weir_udp_sessions_limit", ["route": "new-udp"]] == 2)
            #expect(samples.bytes("old-tcp", "ingress") == 2 && samples.bytes("old-tcp", "egress") == 6)
            #expect(samples.bytes("new-tcp", "ingress") == 1 && samples.bytes("new-tcp", "egress") == 3)
            #expect(samples.bytes("old-udp", "ingress") == 3 && samples.bytes("new-udp", "ingress") == 2)
        }

        @Test("a changed keepalive is that of new connections, on the client's side too; old ones keep theirs")
        func keepaliveChanges() throws {
            let server = try Self.named("one")
            let port = try Ports.free()
            let settings = ["{ idle: 5000s }", "{ idle: 300s }", "off"]
            func route(_ keepalive: String) -> String {
                .route("live", port, to: server.port, "keepalive: \(keepalive)")
            }
            let weir = try WeirProcess(routes: route(settings[0]))
            var clients: [TestConnection] = []
            for (index, setting) in settings.enumerated() {
                if index > 0 { try weir.reload(routes: [route(setting)]) }
                let client = try TestConnection(to: Endpoint(port))
                #expect(try Self.ask(client) == "one")
                clients.append(client)
            }
            // The kernel shows one timer of a socket at a time; that of a probe is seen when all is acknowledged.
            func probe(_ client: TestConnection) throws -> Duration? {
                try SocketTable(.tcp).connection(local: port, remote: client.localEndpoint.port)?.keepalive
            }
            try waitUntil("the first connection is asked after 5,000 s") {
                try probe(clients[0]).map { (.seconds(4_900)...(.seconds(5_000))).contains($0) } ?? false
            }
            try waitUntil("the second connection is asked after 300 s") {
                try probe(clients[1]).map { (.seconds(200)...(.seconds(300))).contains($0) } ?? false
            }
            try waitUntil("the third connection is never asked") { try probe(clients[2]) == nil }
        }

        @Test("the file may be a symbolic link that is swapped, as Kubernetes publishes a ConfigMap")
        func linkSwap() throws {
            let (one, two) = (try Self.named("one"), try Self.named("two"))
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("linked", port, to: one.port))
            let folder = weir.directory
            let text = contents(of: weir.configurationPath)
            for (name, upstream) in [("v1", one), ("v2", two)] {
                try FileManager.default.createDirectory(
                    atPath: folder.file(name), withIntermediateDirectories: false)
                try folder.write(
                    "\(name)/weir.yml", text.replacingOccurrences(of: ":\(one.port)\"", with: ":\(upstream.port)\""))
            }
            func point(_ link: String, to target: String) throws {
                #expect(symlink(target, folder.file(link + ".new")) == 0)
                #expect(rename(folder.file(link + ".new"), folder.file(link)) == 0)
            }
            try point("..data", to: "v1")
            try point("weir.yml", to: "..data/weir.yml")
            #expect(try Self.ask(TestConnection(to: Endpoint(port))) == "one")
            for (version, name) in [("v2", "two"), ("v1", "one"), ("v2", "two")] {
                let before = try weir.scrape().reloads("success")
                try point("..data", to: version)
                try weir.scrape(until: "the swap to \(version) is seen") { $0.reloads("success") > before }
                #expect(try Self.ask(TestConnection(to: Endpoint(port))) == name)
            }
            // The link itself led to the same text: that was no change.
            let samples = try weir.scrape()
            #expect(samples.reloads("success") == 3)
            #expect(samples.reloads("failure") == 0)
        }
    }
}
