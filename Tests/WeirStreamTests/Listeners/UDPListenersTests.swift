import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// Tests of UDP routes with several listeners, and of added and removed listeners.
@Suite(.timeLimit(.minutes(1))) struct UDPListenersTests {
    private static let others = ["udp://127.0.0.1:0", "udp://127.0.0.1:0"]

    private static func endpoints(_ stream: UDPStream) -> [Endpoint] {
        stream.localAddresses.map { Endpoint($0.ip.description, $0.port) }
    }

    private static func ask(_ client: UDPSocket, _ endpoint: Endpoint, times: Int = 1) throws {
        for _ in 0..<times {
            try client.send([7], to: endpoint)
            #expect(try client.receive().bytes == [7])
        }
    }

    private static func listen(
        _ rig: Rig<UDPStream>, at addresses: [String], _ upstream: String, drainTimeout: Duration = .seconds(30)
    ) throws {
        try wait {
            try await rig.stream.update(
                name: "test", listen: addresses.map { try ListenAddress($0) }, upstreams: [try Upstream(upstream)],
                settings: UDPSettings(), hooks: StreamHooks(observer: rig.recorder), drainTimeout: drainTimeout)
        }
    }

    @Test func `a full table evicts its oldest session, over all listeners`() async throws {
        let server = try UDPServer.echo()
        var settings = UDPSettings()
        settings.maxSessions = 3
        try await withUDP("\(server.endpoint)", andAt: Self.others, settings: settings) { rig in
            let endpoints = Self.endpoints(rig.stream)
            let clients = try (0..<5).map { _ in try UDPSocket() }
            // The first one is assured, so that the oldest to go is the second, which came by another listener.
            try Self.ask(clients[0], endpoints[0], times: 2)
            try Self.ask(clients[1], endpoints[1])
            try Self.ask(clients[2], endpoints[2])
            try Self.ask(clients[3], endpoints[0])
            #expect(rig.recorder.count(.sessionClosed(.evicted)) == 1)
            try Self.ask(clients[4], endpoints[1])
            #expect(rig.recorder.count(.sessionClosed(.evicted)) == 2)
            #expect(rig.stream.openCount == 3)
            // Those that are left go on in their sessions.
            for (client, endpoint) in [(clients[0], endpoints[0]), (clients[3], endpoints[0])] {
                try Self.ask(client, endpoint)
            }
            #expect(rig.recorder.count(.opened) == 5)
        }
    }

    @Test func `one client at two ports of a route has two sessions`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", andAt: Self.others, engine: EngineSetup(workers: 2)) { rig in
            let client = try UDPSocket()
            for endpoint in Self.endpoints(rig.stream) {
                try client.send([7], to: endpoint)
                #expect(try client.receive().source == endpoint)
            }
            #expect(rig.stream.openCount == 3)
        }
    }

    @Test func `a listener that is removed takes only its own sessions with it`() async throws {
        let server = try UDPServer.echo()
        let ports = try (0..<3).map { _ in try Ports.free() }
        let addresses = ports.map { "udp://127.0.0.1:\($0)" }
        let upstream = "\(server.endpoint)"
        try await withUDP(
            upstream, listen: addresses[0], andAt: [addresses[1]], engine: EngineSetup(workers: 2, clock: TestClock())
        ) { rig in
            let staying = try UDPSocket()
            let leaving = try UDPSocket()
            try Self.ask(staying, Endpoint(ports[0]), times: 2)
            try Self.ask(leaving, Endpoint(ports[1]), times: 2)
            try Self.listen(rig, at: [addresses[0], addresses[2]], upstream, drainTimeout: .seconds(20))
            try Self.ask(staying, Endpoint(ports[0]))
            // Its known session goes on through the same socket; new ones are refused.
            try Self.ask(leaving, Endpoint(ports[1]))
            try UDPSocket().send([7], to: Endpoint(ports[1]))
            try rig.recorder.expect(.rejected(.draining))
            let new = try UDPSocket()
            try Self.ask(new, Endpoint(ports[2]), times: 2)
            rig.advance(by: .seconds(6))
            try rig.recorder.expect(.sessionClosed(.drained))
            try Self.ask(staying, Endpoint(ports[0]))
            try Self.ask(new, Endpoint(ports[2]))
            #expect(rig.stream.openCount == 2)
            #expect(rig.recorder.count(.opened) == 4)
            try waitUntil("the address is free") { (try? UDPSocket(bindingTo: Endpoint(ports[1]))) != nil }
        }
    }

    @Test func `a removed listener that returns keeps its sessions`() async throws {
        let server = try UDPServer.echo()
        let ports = try (0..<2).map { _ in try Ports.free() }
        let addresses = ports.map { "udp://127.0.0.1:\($0)" }
        let upstream = "\(server.endpoint)"
        try await withUDP(
            upstream, listen: addresses[0], andAt: [addresses[1]], engine: EngineSetup(workers: 2, clock: TestClock())
        ) { rig in
            let client = try UDPSocket()
            try Self.ask(client, Endpoint(ports[1]), times: 2)
            try Self.listen(rig, at: [addresses[0]], upstream, drainTimeout: .seconds(10))
            // One that cannot be had: the sessions go on draining.
            #expect(throws: StreamError.self) {
                try Self.listen(rig, at: [addresses[0], addresses[1]], "127.0.0.1:\(ports[1])")
            }
            try UDPSocket().send([7], to: Endpoint(ports[1]))
            try rig.recorder.expect(.rejected(.draining))
            try Self.listen(rig, at: [addresses[0], addresses[1]], upstream)
            for _ in 0..<5 {
                rig.advance(by: .seconds(4))
                try Self.ask(client, Endpoint(ports[1]))
            }
            try Self.ask(UDPSocket(), Endpoint(ports[1]))
            #expect(rig.recorder.count(.opened) == 3)
            #expect(rig.recorder.count(.sessionClosed(.drained)) == 0)
            // And it can go again, and the route with it.
            try Self.listen(rig, at: [addresses[0]], upstream, drainTimeout: .seconds(10))
            try rig.close(drainTimeout: .seconds(10))
            rig.advance(by: .seconds(6))
            try rig.waitUntilClosed()
            #expect(rig.stream.openCount == 0)
        }
    }

    @Test func `a route that ends while a listener of it drains leaves nothing`() async throws {
        let server = try UDPServer.echo()
        let ports = try (0..<2).map { _ in try Ports.free() }
        let addresses = ports.map { "udp://127.0.0.1:\($0)" }
        let upstream = "\(server.endpoint)"
        try await withUDP(
            upstream, listen: addresses[0], andAt: [addresses[1]], engine: EngineSetup(workers: 2, clock: TestClock())
        ) { rig in
            let client = try UDPSocket()
            try Self.ask(client, Endpoint(ports[1]), times: 2)
            try Self.listen(rig, at: [addresses[0]], upstream)
            try rig.kill()
            try rig.waitUntilClosed()
            for port in ports { _ = try UDPSocket(bindingTo: Endpoint(port)) }
            for port in ports { #expect(!rig.engine.wouldLoop(.udp, SocketAddress(.loopbackIPv4, port: port))) }
        }
    }
}
