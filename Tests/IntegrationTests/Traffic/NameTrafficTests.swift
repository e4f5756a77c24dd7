import Foundation
import TestSupport
import Testing

extension Integration {
    /// Routes that share a port, told apart by the hellos of their clients.
    @Suite("Names on one port", .timeLimit(.minutes(3)))
    struct NameTrafficTests {
        /// A hello of TLS 1.3 with a server name and protocols.
        private static func hello(_ name: String?, protocols: [String] = []) -> [UInt8] {
            func sized(_ bytes: [UInt8], _ width: Int) -> [UInt8] {
                (0..<width).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
            }
            var extensions: [UInt8] = []
            if let name { extensions += [0, 0] + sized(sized([0] + sized(Array(name.utf8), 2), 2), 2) }
            if !protocols.isEmpty {
                extensions += [0, 16] + sized(sized(protocols.flatMap { sized(Array($0.utf8), 1) }, 2), 2)
            }
            let body = [3, 3] + Pattern.bytes(32) + [0, 0, 2, 0x13, 1, 1, 0] + sized(extensions, 2)
            return [0x16, 3, 1] + sized([1] + sized(body, 3), 2)
        }

        /// Servers that say their number, and then what they get.
        private static func servers(_ count: Int) throws -> [TCPServer] {
            try (0..<count).map { number in
                try TCPServer { connection in
                    try connection.send([UInt8(number)])
                    while true {
                        let received = connection.receiveSome(65_536)
                        if received.bytes.isEmpty { break }
                        try connection.send(received.bytes)
                    }
                }
            }
        }

        private static func route(_ name: String, _ port: UInt16, _ server: TCPServer, _ more: String...) -> String {
            let fields = ["scheme: tcp4", "host: 127.0.0.1", "port: \"\(port):\(server.port)\""] + more
            return "\(name): { \(fields.joined(separator: ", ")) }"
        }

        /// Sends the first bytes, and returns the number of the server that sent them back.
        private static func choice(_ port: UInt16, _ bytes: [UInt8]) throws -> Int? {
            let client = try TestConnection(to: Endpoint(port))
            try client.send(bytes)
            let answer = client.receive(bytes.count + 1)
            guard let number = answer.bytes.first else { return nil }
            #expect(Array(answer.bytes.dropFirst()) == bytes)
            try client.expectEnd()
            return Int(number)
        }

        /// Expects that each accepted client is undecided, was rejected, or was judged by its first bytes.
        private static func expectBalance(_ samples: Samples, accepted: Int) {
            #expect(samples.total("weir_listener_connections_accepted_total") == accepted)
            let parts = [
                "weir_listener_connections_undecided", "weir_listener_connections_rejected_total",
                "weir_tls_hellos_total",
            ].map { samples.total($0) }
            #expect(parts.reduce(0, +) == accepted)
        }

        @Test("the most exact claim wins, the rest has a route of its own, and every byte arrives")
        func choices() throws {
            let servers = try Self.servers(5)
            let port = try Ports.free()
            let routes = [
                Self.route("exact", port, servers[0], "sni: git.weir.test"),
                Self.route("wild", port, servers[1], "sni: \"*.weir.test\""),
                Self.route("mail", port, servers[2], "sni: git.weir.test", "alpn: imap"),
                Self.route("alone", port, servers[3], "alpn: [xmpp-client]"),
                Self.route("rest", port, servers[4]),
            ]
            let weir = try WeirProcess(routes: routes.joined(separator: "\n"), rest: "workers: 2")
            let wanted: [([UInt8], Int)] = [
                (Self.hello("git.weir.test"), 0), (Self.hello("GIT.weir.TEST", protocols: ["h2"]), 0),
                (Self.hello("a.weir.test"), 1), (Self.hello("a.b.weir.test"), 1),
                (Self.hello("git.weir.test", protocols: ["h2", "imap"]), 2),
                (Self.hello("other.test", protocols: ["xmpp-client"]), 3),
                (Self.hello(nil, protocols: ["xmpp-client"]), 3),
                (Self.hello("weir.test"), 4), (Self.hello("other.test"), 4), (Self.hello(nil), 4),
                (Array("SSH-2.0-test\r\n".utf8), 4),
            ]
            for (bytes, number) in wanted { #expect(try Self.choice(port, bytes) == number) }
            // A byte in each segment.
            let slow = try TestConnection(to: Endpoint(port))
            let bytes = Self.hello("a.weir.test")
            for byte in bytes { try slow.send([byte]) }
            #expect(slow.receive(bytes.count + 1).bytes == [1] + bytes)
            try slow.expectEnd()
            let samples = try weir.scrape(until: "all have ended") { samples in
                ["exact", "wild", "mail", "alone", "rest"].allSatisfy { samples.active($0) == 0 }
            }
            Self.expectBalance(samples, accepted: wanted.count + 1)
            func hellos(_ result: String) -> Int { samples.total("weir_tls_hellos_total", ["result": result]) }
            #expect(hellos("name") == 8 && hellos("default") == 3 && hellos("not_tls") == 1)
            #expect(["exact", "wild", "mail", "alone", "rest"].map { samples.accepted($0) } == [2, 3, 1, 2, 4])
        }

        @Test("the log has the name of each hello, bounded and escaped, and metrics have none")
        func logged() throws {
            let servers = try Self.servers(2)
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: [
                    Self.route("wild", port, servers[0], "sni: \"*.weir.test\""),
                    Self.route("mail", port, servers[1], "alpn: imap"),
                ].joined(separator: "\n"))
            let long = String(repeating: "a", count: 63)
            let name = ([String](repeating: long, count: 3) + ["b", "weir.test"]).joined(separator: ".")
            #expect(try Self.choice(port, Self.hello("GIT.weir.test")) == 0)
            #expect(try Self.choice(port, Self.hello(name)) == 0)
            #expect(try Self.choice(port, Self.hello("else.test")) == nil)
            #expect(try Self.choice(port, Self.hello(nil)) == nil)
            #expect(try Self.choice(port, Self.hello(nil, protocols: ["imap"])) == 1)
            for message in ["connection accepted", "connection closed"] {
                try weir.waitForLog(message, "route=wild", " sni=git.weir.test")
                try weir.waitForLog(message, "route=wild", " sni=\(name)")
                let plain = try weir.waitForLog(message, "route=mail")
                #expect(!plain.contains("sni="))
            }
            try weir.waitForLog("client refused before a route was chosen", "reason=no_match", " sni=else.test")
            #expect(!(try weir.scrape().text.contains("git.weir.test")))
        }

        @Test("clients that no route takes are reset, each under its reason, and never reach an upstream")
        func refusals() throws {
            let server = try Self.servers(1)[0]
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: Self.route("only", port, server, "sni: git.weir.test", "hello_timeout: 300ms"),
                rest: "workers: 1\nacl: { deny: [\"ip:127.0.0.66\"] }")
            var malformed = Self.hello("git.weir.test")
            // The session's identifier, of at most 32 bytes.
            malformed[43] = 0xff
            let cases: [(String, [UInt8])] = [
                ("no_match", Self.hello("other.test")), ("no_match", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
                ("malformed", malformed), ("too_long", [0x16, 3, 1, 0x40, 0, 1, 0, 0x50, 0] + Pattern.bytes(20)),
                ("timeout", Array(Self.hello("git.weir.test").prefix(20))), ("timeout", []),
            ]
            for (reason, bytes) in cases {
                let client = try TestConnection(to: Endpoint(port))
                if !bytes.isEmpty { try client.send(bytes) }
                let received = client.receive()
                #expect(received.bytes.isEmpty && received.ending == .reset, "\(reason)")
                try weir.waitForLog("client refused before a route was chosen", "client=", "reason=\(reason)")
            }
            let denied = try TestConnection(to: Endpoint(port), from: Endpoint("127.0.0.66", 0))
            #expect(denied.receive().ending == .reset)
            let gone = try TestConnection(to: Endpoint(port))
            gone.close()
            let samples = try weir.scrape(until: "all are counted") {
                $0.total("weir_tls_hellos_total") + $0.total("weir_listener_connections_rejected_total")
                    == cases.count + 2
            }
            Self.expectBalance(samples, accepted: cases.count + 2)
            let reasons = ["no_match": 2, "malformed": 1, "too_long": 1, "timeout": 2, "closed": 1]
            for (reason, count) in reasons {
                #expect(samples.total("weir_tls_hellos_total", ["result": reason]) == count, "\(reason)")
            }
            #expect(samples.total("weir_listener_connections_rejected_total", ["reason": "acl"]) == 1)
            #expect(samples.accepted("only") == 0 && server.accepted == 0)
        }

        @Test("limits of the process hold before the hello, are counted once, and are given back")
        func processLimits() throws {
            let server = try Self.servers(1)[0]
            let port = try Ports.free()
            let route = Self.route("only", port, server, "sni: git.weir.test", "max_connections_per_ip: 2")
            let weir = try WeirProcess(routes: route, rest: "workers: 2\nlimits: { max_connections_per_ip: 3 }")
            let hello = Self.hello("git.weir.test")
            func rejected(_ samples: Samples, _ reason: String) -> Int {
                samples.total("weir_listener_connections_rejected_total", ["reason": reason])
            }
            // Silent clients take the places of their address; one more is refused before it has said anything.
            var silent = try (0..<3).map { _ in try TestConnection(to: Endpoint(port)) }
            try weir.scrape(until: "three are undecided") { $0.total("weir_listener_connections_undecided") == 3 }
            #expect(try TestConnection(to: Endpoint(port)).receive().ending == .reset)
            try weir.scrape(until: "the fourth is refused") { rejected($0, "per_ip_limit") == 1 }
            // A client that chooses keeps its place: it is not counted twice.
            try silent[0].send(hello)
            #expect(silent[0].receive(1).bytes == [0])
            #expect(try TestConnection(to: Endpoint(port)).receive().ending == .reset)
            try weir.scrape(until: "the fifth is refused") { rejected($0, "per_ip_limit") == 2 }
            // The route's own limit follows with the choice, and what it refuses leaves its place.
            try silent[1].send(hello)
            #expect(silent[1].receive(1).bytes == [0])
            try silent[2].send(hello)
            #expect(silent[2].receive().ending == .reset)
            let third = try TestConnection(to: Endpoint(port))
            try third.send(hello)
            #expect(third.receive().ending == .reset)
            // Places of clients that have ended are free, whether they had chosen or not.
            silent.forEach { $0.close() }
            silent = []
            try weir.scrape(until: "all have ended") { $0.active("only") == 0 }
            for _ in 0..<2 {
                let others = try (0..<3).map { _ in try TestConnection(to: Endpoint(port)) }
                try weir.scrape(until: "three are undecided") { $0.total("weir_listener_connections_undecided") == 3 }
                others.forEach { $0.close() }
                try weir.scrape(until: "all have ended") { $0.total("weir_listener_connections_undecided") == 0 }
            }
            // A rate is asked once for each client, before the hello.
            try weir.reload(
                routes: [Self.route("only", port, server, "sni: git.weir.test")],
                rest: "workers: 2\nlimits: { rate_limit: { rate: 1/h, burst: 2 } }")
            #expect(try Self.choice(port, hello) == 0)
            #expect(try Self.choice(port, hello) == 0)
            #expect(try TestConnection(to: Endpoint(port)).receive().ending == .reset)
            let samples = try weir.scrape(until: "the refusal is counted") { rejected($0, "rate_limit") == 1 }
            #expect(rejected(samples, "per_ip_limit") == 2)
            #expect(
                samples.total("weir_tcp_connections_rejected_total", ["route": "only", "reason": "per_ip_limit"]) == 2)
            #expect(samples.total("weir_tcp_connections_rejected_total", ["reason": "rate_limit"]) == 0)
            Self.expectBalance(samples, accepted: samples.total("weir_listener_connections_accepted_total"))
        }

        @Test("reloads add, move and remove names, and let a route share its port and have it alone: connections stay")
        func reloads() throws {
            let servers = try Self.servers(3)
            let port = try Ports.free()
            let rest = Self.route("rest", port, servers[0])
            let git = Self.route("git", port, servers[1], "sni: git.weir.test")
            let settings = "workers: 2\nshutdown: { drain_timeout: 1s }"
            let weir = try WeirProcess(routes: rest, rest: settings)
            var connections: [(TestConnection, Int)] = []
            func open(_ name: String, _ number: Int) throws {
                let client = try TestConnection(to: Endpoint(port))
                let bytes = Self.hello(name)
                try client.send(bytes)
                #expect(client.receive(bytes.count + 1).bytes == [UInt8(number)] + bytes)
                connections.append((client, number))
            }
            func expectAllLive() throws {
                for (client, _) in connections {
                    try client.send("still there")
                    #expect(client.receive(11).text == "still there")
                }
            }
            let load = Repeater { _ in _ = try Self.choice(port, Self.hello("other.test")) }
            defer { load.stop() }
            try open("git.weir.test", 0)
            try weir.reload(routes: [rest, git], rest: settings)
            try open("git.weir.test", 1)
            try open("wiki.weir.test", 0)
            try expectAllLive()
            // A name moves, and another route comes.
            let wiki = Self.route("wiki", port, servers[2], "sni: [git.weir.test, wiki.weir.test]")
            try weir.reload(
                routes: [rest, Self.route("git", port, servers[1], "sni: code.weir.test"), wiki], rest: settings)
            try open("git.weir.test", 2)
            try open("code.weir.test", 1)
            try expectAllLive()
            try weir.reload(routes: [rest, git], rest: settings)
            try open("git.weir.test", 1)
            try weir.reload(routes: [rest], rest: settings)
            try open("git.weir.test", 0)
            // Those of routes that are gone have the time of a drain; those of the route that is there stay.
            let remaining = connections.filter { $0.1 == 0 }
            try weir.scrape(until: "the others have ended", deadline: .seconds(20)) {
                $0.active("git") == 0 && $0.active("wiki") == 0
            }
            connections = remaining
            try expectAllLive()
            load.stop()
            #expect(load.failures == [])
            for (client, _) in connections { try client.expectEnd() }
            let end = try weir.scrapeWhenIdle("rest")
            #expect(end.accepted("rest") == load.rounds + remaining.count)
        }

        @Test("real TLS through one port: each name has the certificate of its server")
        func realClients() throws {
            let directory = try TemporaryDirectory("tls")
            let names = ["a.weir.test", "b.weir.test", "c.weir.test"]
            let port = try Ports.free()
            var running: [ChildProcess] = []
            defer { running.removeAll() }
            var routes: [String] = []
            for (index, name) in names.enumerated() {
                let (key, certificate) = (directory.file("\(index).key"), directory.file("\(index).pem"))
                let made = try ChildProcess.run(
                    "openssl",
                    [
                        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "2",
                        "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)", "-keyout", key, "-out",
                        certificate,
                    ])
                #expect(made.succeeded, "\(made)")
                let upstream = try Ports.free()
                running.append(
                    try ChildProcess(
                        "openssl",
                        ["s_server", "-accept", "127.0.0.1:\(upstream)", "-www", "-key", key, "-cert", certificate]))
                try waitUntil("\(name) listens") { (try? TestConnection(to: Endpoint(upstream))) != nil }
                routes.append(
                    "tls-\(index): { scheme: tcp4, host: 127.0.0.1, port: \"\(port):\(upstream)\", sni: \(name) }")
            }
            let weir = try WeirProcess(routes: routes.joined(separator: "\n"))
            for (index, name) in names.enumerated() {
                let page = try ChildProcess.run(
                    "curl",
                    [
                        "--silent", "--show-error", "--max-time", "60", "--cacert", directory.file("\(index).pem"),
                        "--resolve", "\(name):\(port):127.0.0.1", "https://\(name):\(port)/",
                    ])
                #expect(page.succeeded && page.output.contains("Ciphers supported"), "\(page)")
            }
            let other = try ChildProcess.run(
                "curl",
                [
                    "--silent", "--insecure", "--max-time", "60", "--resolve", "d.weir.test:\(port):127.0.0.1",
                    "https://d.weir.test:\(port)/",
                ])
            #expect(!other.succeeded)
            let samples = try weir.scrape(until: "all are counted") { $0.total("weir_tls_hellos_total") == 4 }
            #expect(samples.total("weir_tls_hellos_total", ["result": "name"]) == 3)
            for index in names.indices { #expect(samples.accepted("tls-\(index)") == 1) }
        }
    }
}
