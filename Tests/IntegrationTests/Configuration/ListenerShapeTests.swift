import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Routes with several listeners")
    struct ListenerShapeTests {
        /// Answers each question with the port of the server and that of its peer: equal answers mean the same session.
        private static func server(_ port: UInt16) throws -> UDPServer {
            try UDPServer(host: "127.0.0.2", port: port) { [Array("\(port):\($0.source.port)".utf8)] }
        }

        private static func ask(_ client: UDPSocket, _ port: UInt16) throws -> String {
            try client.send([1], to: Endpoint(port))
            return String(decoding: try client.receive().bytes, as: UTF8.self)
        }

        private static func range(_ first: UInt16, _ last: UInt16) -> String { "\(first)-\(last)" }

        private static func udp(_ name: String, _ listen: String, to target: String, _ more: String...) -> String {
            let fields = ["scheme: udp4", "bind: 127.0.0.1", "host: 127.0.0.2", "port: \"\(listen):\(target)\""] + more
            return "\(name): { \(fields.joined(separator: ", ")) }"
        }

        @Test("each port of a range has its own target, with one set of series for all")
        func range() throws {
            let (first, target) = (try Ports.freeRange(4), try Ports.freeRange(4))
            let servers = try (0..<4).map { try Self.server(target + $0) }
            let weir = try WeirProcess(
                routes: Self.udp("rtp", Self.range(first, first + 3), to: Self.range(target, target + 3)))
            let client = try UDPSocket()
            for index in UInt16(0)..<4 {
                #expect(try Self.ask(client, first + index).hasPrefix("\(target + index):"))
            }
            #expect(servers.map(\.received) == [1, 1, 1, 1])
            let samples = try weir.scrape()
            #expect(samples.sessionsOpened("rtp") == 4 && samples.bytes("rtp", "ingress") == 4)
            let upstream = "127.0.0.2:\(Self.range(target, target + 3))"
            #expect(samples.total("weir_dials_total", ["route": "rtp", "upstream": upstream]) == 4)
            let listen = "udp4://127.0.0.1:\(Self.range(first, first + 3))"
            #expect(samples["weir_route_info", ["route": "rtp", "protocol": "udp", "listen": listen]] == 1)
        }

        @Test("a reload moves, grows and shrinks a range, and keeps the listeners that stay with their sessions")
        func movedRange() throws {
            let (first, target) = (try Ports.freeRange(6), try Ports.freeRange(6))
            let servers = try (0..<6).map { try Self.server(target + $0) }
            func route(_ from: UInt16, _ to: UInt16) -> String {
                Self.udp(
                    "rtp", Self.range(first + from, first + to), to: Self.range(target + from, target + to),
                    "idle_timeout: 1h", "unassured_timeout: 1h")
            }
            let weir = try WeirProcess(routes: route(0, 3), rest: "workers: 2")
            let client = try UDPSocket()
            let before = try (0..<4).map { try Self.ask(client, first + $0) }
            let sockets = (2..<4).map { SocketTable(.udp).listening(on: first + $0) }
            try weir.reload(routes: [route(2, 5)], rest: "workers: 2")
            #expect(try (2..<4).map { try Self.ask(client, first + $0) } == Array(before[2...]))
            #expect((2..<4).map { SocketTable(.udp).listening(on: first + $0) } == sockets)
            #expect(try Self.ask(client, first + 5).hasPrefix("\(target + 5):"))
            try waitUntil("the sockets of the ports that are gone are closed") {
                SocketTable(.udp).listening(on: first).isEmpty && SocketTable(.udp).listening(on: first + 1).isEmpty
            }
            // Back again: the ports can be bound, and the sessions of those that stayed still live.
            try weir.reload(routes: [route(0, 5)], rest: "workers: 2")
            #expect(try Self.ask(client, first).hasPrefix("\(target):"))
            #expect(try (2..<4).map { try Self.ask(client, first + $0) } == Array(before[2...]))
            // Of the ports in their order, over the three configurations.
            #expect(servers.map(\.received) == [2, 1, 3, 3, 0, 1])
        }

        @Test(
            "ports go from one route to another, over both transports, and every question is answered by the right one")
        func handedOver() throws {
            let (first, target) = (try Ports.freeRange(4), try Ports.freeRange(2))
            let (one, two) = (try Self.server(target), try Self.server(target + 1))
            let tcp = try (0..<2).map { index in
                try TCPServer(host: "127.0.0.2", port: target + index) { connection in
                    while !connection.receive(1).bytes.isEmpty { try connection.send("\(index)") }
                }
            }
            func routes(_ split: UInt16) -> [String] {
                [("a", first, first + split, target), ("b", first + split + 1, first + 3, target + 1)].map {
                    Self.udp($0.0, Self.range($0.1, $0.2), to: "\($0.3)").replacing("udp4", with: "tcp4+udp4")
                }
            }
            let weir = try WeirProcess(routes: routes(0).joined(separator: "\n"), rest: "workers: 2")
            for (split, rounds) in [(UInt16(0), 0), (2, 1), (1, 2), (0, 3)] {
                if rounds > 0 { try weir.reload(routes: routes(split), rest: "workers: 2") }
                for index in UInt16(0)..<4 {
                    let isFirst = index <= split
                    try waitUntil("port \(index) belongs to \(isFirst ? "a" : "b")") {
                        let answer = try? UDPSocket().ask(first + index)
                        return answer?.hasPrefix("\(isFirst ? target : target + 1):") ?? false
                    }
                    let connection = try TestConnection(to: Endpoint(first + index))
                    try connection.send("?")
                    #expect(connection.receive(1).text == (isFirst ? "0" : "1"))
                }
            }
            #expect(one.received > 0 && two.received > 0 && tcp.count == 2)
            let samples = try weir.scrape()
            // One port, three, two and one again, of four each time.
            #expect(samples.accepted("a") == 7 && samples.accepted("b") == 9)
        }

        @Test("several addresses and a list of ports are one route, within one limit")
        func addresses() throws {
            let (first, target) = (try Ports.freeRange(2), try Ports.freeRange(2))
            let servers = try (0..<2).map { index in
                try TCPServer(host: "127.0.0.2", port: target + index) { connection in
                    while !connection.receive(1).bytes.isEmpty { try connection.send("\(index)") }
                }
            }
            let weir = try WeirProcess(
                routes: """
                    mail: { scheme: tcp, bind: [127.0.0.1, 127.0.0.3, "::1"], host: 127.0.0.2, max_connections: 6, \
                    port: ["\(first):\(target)", "\(first + 1):\(target + 1)"] }
                    """)
            var clients: [TestConnection] = []
            for host in ["127.0.0.1", "127.0.0.3", "::1"] {
                for index in UInt16(0)..<2 {
                    let client = try TestConnection(to: Endpoint(host, first + index))
                    try client.send("?")
                    #expect(client.receive(1).text == "\(index)")
                    clients.append(client)
                }
            }
            #expect(try TestConnection(to: Endpoint(first)).receive().ending == .reset)
            #expect(clients.count == 6 && servers.count == 2)
            let samples = try weir.scrape()
            #expect(samples.accepted("mail") == 7 && samples.active("mail") == 6)
        }

        @Test("a range with one target, and an upstream with a port of its own, take the clients of all ports")
        func fanIn() throws {
            let (first, target) = (try Ports.freeRange(3), try Ports.free())
            let server = try Self.server(target)
            let weir = try WeirProcess(
                routes: """
                    fan: { scheme: udp4, bind: 127.0.0.1, host: 127.0.0.2, port: "\(first)-\(first + 1):\(target)" }
                    own: { scheme: udp4, bind: 127.0.0.3, upstreams: ["127.0.0.2:\(target)"], port: "\(first)-\(first + 2)" }
                    """)
            for (host, ports) in [("127.0.0.1", UInt16(2)), ("127.0.0.3", 3)] {
                for index in 0..<ports {
                    let client = try UDPSocket()
                    try client.send([1], to: Endpoint(host, first + index))
                    #expect(String(decoding: try client.receive().bytes, as: UTF8.self).hasPrefix("\(target):"))
                }
            }
            #expect(server.received == 5)
            #expect(try weir.scrape().sessionsOpened("own") == 3)
        }

        @Test("a Unix socket stands beside ports, outlives reloads, and goes with its route")
        func unixSocket() throws {
            let folder = try TemporaryDirectory("unix")
            let path = folder.file("front.sock")
            let (upstream, port) = (try UnixServer.echo(), try Ports.free())
            func route(_ bind: String, _ more: String = "") -> String {
                "db: { scheme: tcp, bind: [\(bind)], port: \(port), host: \"\(upstream.upstream)\"\(more) }"
            }
            func ask(_ client: TestConnection) throws -> String {
                try client.send("?")
                return client.receive(1).text
            }
            let weir = try WeirProcess(routes: route("127.0.0.1, \"unix:\(path)\""))
            let client = try TestConnection(toUnix: path)
            #expect(try ask(client) == "?")
            #expect(try ask(try TestConnection(to: Endpoint(port))) == "?")
            try weir.waitForLog("connection accepted", "client=unix")

            // Another setting and another port keep the socket and its clients.
            try weir.reload(routes: [route("127.0.0.2, \"unix:\(path)\"", ", max_connections: 5")])
            #expect(try ask(client) == "?")
            #expect(try ask(try TestConnection(toUnix: path)) == "?")
            let samples = try weir.scrape(until: "the other clients have ended") { $0.active("db") == 1 }
            #expect(samples.accepted("db") == 3)
            let listen = "tcp://127.0.0.2:\(port),unix:\(path)"
            #expect(samples["weir_route_info", ["route": "db", "protocol": "tcp", "listen": listen]] == 1)

            try weir.reload(routes: [route("127.0.0.2")])
            try waitUntil("the file is gone") { !FileManager.default.fileExists(atPath: path) }
            #expect(try ask(client) == "?")
        }

        @Test("a reload that cannot have one port of a range leaves all as it was")
        func refused() throws {
            let (first, target) = (try Ports.freeRange(4), try Ports.freeRange(4))
            let server = try Self.server(target)
            let blocker = try UDPSocket(bindingTo: Endpoint("127.0.0.1", first + 3))
            func route(_ last: UInt16) -> String {
                Self.udp("rtp", Self.range(first, first + last), to: Self.range(target, target + last))
            }
            let weir = try WeirProcess(routes: route(0))
            let client = try UDPSocket()
            let answer = try Self.ask(client, first)
            try weir.replaceConfiguration(routes: route(3))
            weir.process.send(signal: SIGHUP)
            try weir.scrape(until: "the reload has failed") { $0.reloads("failure") == 1 }
            try weir.waitForLog("reload failed", "\(first + 3)")
            for index in UInt16(1)..<3 { #expect(SocketTable(.udp).listening(on: first + index).isEmpty) }
            #expect(try Self.ask(client, first) == answer && server.received == 2)
            withExtendedLifetime(blocker) {}
        }
    }
}

extension UDPSocket {
    fileprivate func ask(_ port: UInt16) throws -> String {
        try setTimeouts(seconds: 1)
        try send([1], to: Endpoint(port))
        return String(decoding: try receive().bytes, as: UTF8.self)
    }
}
