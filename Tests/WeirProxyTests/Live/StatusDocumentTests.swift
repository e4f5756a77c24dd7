import Foundation
import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration
import WeirStream

@testable import WeirProxy

/// The answer of `/api/v1/status` beside a scrape of the same proxy.
struct StatusDocumentTests {
    private struct Status: Decodable {
        struct Upstream: Decodable {
            let name: String
            let dials: Int
            let failures: [String: Int]
            let active: Int
            let dialSeconds: Double?
            let dialBuckets: [Int]?
        }
        struct Member: Decodable {
            let name: String
            let upstream: Int
            let state: String
            let since: Int
            let cause: String?
        }
        struct Route: Decodable {
            let name: String
            let `protocol`: String
            let accepted: Int
            let active: Int
            let closed: [String: Int]
            let rejected: [String: Int]
            let bytes: [Int]
            let upstreams: [Upstream]
            let members: [Member]?
        }
        struct Event: Decodable {
            let text: String
            let route: String?
            let reason: String?
            let count: Int
        }
        struct Health: Decodable {
            let live: Bool
            let phase: String
        }
        struct Configured: Decodable {
            let reloads: Int
            let refused: Int
            let problem: String?
        }
        struct Agent: Decodable {
            let name: String
            let address: String
            let up: Bool?
            let since: Int?
            let probed: Int?
            let reason: String?
            let why: String?
            let `protocol`: String?
            let tunnels: Int
        }
        let api: Int
        let now: Int
        let health: Health
        let configuration: Configured
        let events: [Event]
        let dialBounds: [Double]
        let routes: [Route]
        let agents: [Agent]
    }

    private func withProxy(
        _ routes: [RouteConfiguration], _ body: (Proxy, UInt16) async throws -> Void
    ) async throws {
        let exporter = try Ports.free()
        let proxy = try Proxy(configuration(routes, exporter: exporter))
        try await proxy.start()
        do {
            try await body(proxy, exporter)
        } catch {
            await proxy.shutdown()
            throw error
        }
        await proxy.shutdown()
    }

    private func configuration(_ routes: [RouteConfiguration], exporter: UInt16) -> Configuration {
        Configuration(
            exporter: .init(listen: [.address(.init(over: .tcp, address: .loopbackIPv4, port: exporter))]),
            log: .init(level: .error), workers: .fixed(2), shutdown: .init(delay: .zero, drainTimeout: .seconds(2)),
            routes: routes)
    }

    private func status(_ exporter: UInt16) throws -> Status {
        // What peers have seen is counted at the end of a turn.
        WorkerTurns.finish(of: getpid())
        let answer = try HTTP.get("/api/v1/status", port: exporter)
        #expect(answer.status == 200)
        return try Self.decoded(answer.body)
    }

    private static func decoded(_ bytes: [UInt8]) throws -> Status {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Status.self, from: Data(bytes))
    }

    private func echo(_ port: UInt16, _ text: String = "hello") throws {
        let client = try TestConnection(to: Endpoint(port))
        try client.send(text)
        #expect(client.receive(text.utf8.count).text == text)
        try client.shutdownWriting()
        #expect(client.receive().ending == .endOfStream)
    }

    @Test("The figures of routes and upstreams are those of a scrape")
    func figures() async throws {
        let (server, port, closed) = (try TCPServer.echo(), try Ports.free(), try Ports.free())
        var route = makeRoute("a \"<b>", listen: port, upstream: server.port)
        route.upstreams.insert(UpstreamConfiguration(.address(.loopbackIPv4), port: closed), at: 0)
        route.selection.method = .first
        try await withProxy([route]) { _, exporter in
            for _ in 0..<3 { try echo(port) }
            let open = try TestConnection(to: Endpoint(port))
            try open.send("x")
            #expect(open.receive(1).text == "x")
            try waitUntil("three are closed") { try status(exporter).routes[0].closed.values.reduce(0, +) == 3 }
            let (found, page) = (try status(exporter), try Samples.scrape(port: exporter, of: getpid()))
            let shown = try #require(found.routes.first)
            #expect(found.api == 1 && found.health.live && found.health.phase == "ready")
            #expect(shown.name == "a \"<b>" && shown.protocol == "tcp")
            #expect(shown.accepted == 4 && shown.active == 1)
            #expect(shown.accepted == shown.active + shown.closed.values.reduce(0, +))
            #expect(shown.bytes == [16, 16])
            #expect(shown.upstreams.map(\.name) == ["127.0.0.1:\(closed)", "127.0.0.1:\(server.port)"])
            for upstream in shown.upstreams {
                let labels = ["upstream": upstream.name]
                #expect(upstream.dials == page.total("weir_dials_total", labels))
                #expect(
                    (upstream.failures["refused"] ?? 0)
                        == page.total("weir_dial_failures_total", labels.merging(["reason": "refused"]) { $1 }))
            }
            let good = shown.upstreams[1]
            #expect(good.active == 1 && good.dialBuckets?.reduce(0, +) == 4)
            #expect(good.dialBuckets?.count == found.dialBounds.count + 1)
            let failed = try #require(found.events.first { $0.reason == "refused" })
            #expect(failed.text == "Dial failed: 127.0.0.1:\(closed)" && failed.route == "a \"<b>")
            let members = try #require(shown.members)
            #expect(members.map(\.name).count == 2 && members.map(\.upstream) == [0, 1])
            #expect(members[1].state == "up" && abs(members[1].since - found.now) < 60_000)
        }
    }

    @Test("Routes, a refused reload and its reason are shown as they are now")
    func reloads() async throws {
        let (server, first, second) = (try TCPServer.echo(), try Ports.free(), try Ports.free())
        let route = makeRoute("a", listen: first, upstream: server.port)
        try await withProxy([route]) { proxy, exporter in
            let other = makeRoute("b", listen: second, upstream: server.port)
            try await proxy.apply(configuration([other, route], exporter: exporter))
            var found = try status(exporter)
            #expect(found.routes.map(\.name) == ["b", "a"])
            #expect(found.configuration.reloads == 1 && found.configuration.problem == nil)
            try echo(second)
            #expect(try status(exporter).routes.map(\.accepted) == [1, 0])
            // The address of the server is taken.
            let impossible = makeRoute("c", listen: server.port, upstream: server.port)
            await #expect(throws: ProxyError.self) {
                try await proxy.apply(configuration([other, impossible], exporter: exporter))
            }
            found = try status(exporter)
            #expect(found.routes.map(\.name) == ["b", "a"] && found.configuration.refused == 1)
            #expect(found.configuration.problem?.contains("Address already in use") == true)
            #expect(found.events.contains { $0.text.hasPrefix("Reload failed") })
            try echo(second)
            #expect(try status(exporter).routes.map(\.accepted) == [2, 0])
        }
    }

    @Test("Agents are told as their probes found them, in the document and in the lines of commands")
    func agents() async throws {
        let server = try TCPServer.echo()
        try await withProxy([makeRoute("a", listen: try Ports.free(), upstream: server.port)]) { proxy, exporter in
            #expect(try status(exporter).agents.isEmpty)
            let now = MonotonicClock.system.nanoseconds
            var (up, down) = (AgentStanding(), AgentStanding())
            up.take(nil, tunnelProtocol: "weir-agent/1", at: "192.0.2.1:8890", now: now - 7_000_000_000)
            down.take(.unknownAuthority, tunnelProtocol: nil, at: "b.test:1", now: now - 9_000_000_000)
            down.take(.expired, tunnelProtocol: nil, at: "b.test:1", now: now - 1_000_000_000)
            let told: [LiveBoard.Agent] = [
                .init(name: "edge", address: "192.0.2.1:8890", standing: up, tunnels: 12),
                .init(name: "b", address: "b.test:1", standing: down, tunnels: 0),
                .init(name: "new", address: "192.0.2.9:8890", standing: AgentStanding(), tunnels: 0),
            ]
            let components = await proxy.components
            components.live.update { $0.agents = { told } }
            let lines = String(
                decoding: StatusLines.bytes(components.live.current, components.log.events), as: UTF8.self
            ).components(separatedBy: "\n").filter { $0.hasPrefix("agent\t") }
            var fields = lines.map { $0.components(separatedBy: "\t") }
            try #require(fields.map(\.count) == [8, 8, 8])
            #expect((7...60).contains(try #require(Int(fields[0][4]))))
            #expect((9...60).contains(try #require(Int(fields[1][4]))))
            for index in 0...1 { fields[index][4] = "" }
            #expect(
                fields.map { $0.dropFirst().joined(separator: "|") } == [
                    "edge|192.0.2.1:8890|up|||weir-agent/1|12",
                    "b|b.test:1|down||its certificate has ended, or has not begun||0",
                    "new|192.0.2.9:8890|unknown|0|||0",
                ])
            // The exporter's document of this turn may be an older one.
            try waitUntil("the agents are told") { try status(exporter).agents.count == 3 }
            let found = try status(exporter)
            let (edge, other, new) = (found.agents[0], found.agents[1], found.agents[2])
            #expect(edge.up == true && edge.reason == nil && edge.protocol == "weir-agent/1" && edge.tunnels == 12)
            #expect(other.up == false && other.reason == "expired" && other.why == AgentFailure.expired.words)
            let (since, probed) = (try #require(other.since), try #require(other.probed))
            #expect((7900...8100).contains(probed - since) && probed <= found.now)
            #expect(new.up == nil && new.since == nil && new.probed == nil && new.protocol == nil)
        }
    }

    @Test("A document of many routes comes in pieces of a bounded size, and is whole")
    func pieces() async throws {
        let ports = try Ports.freeRange(100)
        let server = try TCPServer.echo()
        try await withProxy((0..<100).map { makeRoute("r\($0)", listen: ports + UInt16($0), upstream: server.port) }) {
            proxy, exporter in
            let components = await proxy.components
            let document = StatusDocument(
                live: components.live, health: components.health, metrics: components.metrics,
                engine: components.engine, log: components.log)
            for _ in 0..<2 {
                var bytes: [UInt8] = []
                var pieces = 1
                document.begin()
                while !document.appendPiece(to: &bytes) { pieces += 1 }
                #expect(pieces == 5)
                let found = try Self.decoded(bytes)
                #expect(found.routes.map(\.name) == (0..<100).map { "r\($0)" })
                #expect(bytes.count < 100 * 600)
            }
            #expect(try status(exporter).routes.count == 100)
        }
    }
}
