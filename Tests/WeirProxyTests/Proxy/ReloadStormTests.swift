import Foundation
import TestSupport
import Testing

@testable import WeirProxy

/// Many reloads from a real file, one after the other and under load, without the watcher: each is counted once.
@Suite(.timeLimit(.minutes(2))) struct ReloadStormTests {
    private static let reloads = 1_000

    /// The content of the file in one round: the same addresses under changing names, upstreams and limits.
    private struct Routes {
        let exporter: UInt16
        let tcp: UInt16
        let udp: UInt16
        let passing: UInt16
        let upstreams: [UInt16]
        let datagramUpstreams: [UInt16]

        func text(_ round: Int) -> String {
            let side = round % 2
            var routes = [
                String.route("kept-\(side)", tcp, to: upstreams[side], "max_connections: \(1_000 + round)"),
                String.route("udp-\(side)", udp, to: datagramUpstreams[side], scheme: "udp4", "idle_timeout: 1m"),
            ]
            // One that comes and goes.
            if round % 4 < 2 { routes.append(.route("passing", passing, to: upstreams[side])) }
            if round % 10 == 9 { routes.append("broken: { scheme: tcp4, hots: \(round) }") }
            return "exporter: { listen: 127.0.0.1:\(exporter) }\nlog: { level: error }\nworkers: 2\nroutes:\n"
                + routes.map { "  \($0)\n" }.joined()
        }
    }

    @Test("1,000 reloads under load, every tenth file invalid: no client is refused, nothing leaks, no counter falls")
    func storm() async throws {
        let servers = try (0..<2).map { _ in try TCPServer.echo() }
        let datagrams = try (0..<2).map { side in try UDPServer { [Array("\(side):\($0.source.port)".utf8)] } }
        let routes = Routes(
            exporter: try Ports.free(), tcp: try Ports.free(), udp: try Ports.free(), passing: try Ports.free(),
            upstreams: servers.map(\.port), datagramUpstreams: datagrams.map(\.port))
        let folder = try TemporaryDirectory("storm")
        let file = ConfigurationFile(path: try folder.write("weir.yml", routes.text(0)), environment: [:])
        var options = Proxy.Options()
        let sink = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(sink) }
        options.logDescriptor = sink
        let runner = try ProxyRunner(file, loaded: try file.load(), options: options)
        try await runner.proxy.start()
        do {
            try await reload(runner, routes, folder, servers)
        } catch {
            await runner.proxy.shutdown()
            throw error
        }
        await runner.proxy.shutdown()
    }

    private func reload(
        _ runner: ProxyRunner, _ routes: Routes, _ folder: TemporaryDirectory, _ servers: [TCPServer]
    ) async throws {
        func scrape() throws -> Samples { try Samples.scrape(port: routes.exporter, of: getpid()) }
        let connection = try TestConnection(to: Endpoint(routes.tcp))
        let player = try UDPSocket()
        func ask() throws -> [UInt8] {
            try player.send([1], to: Endpoint(routes.udp))
            return try player.receive().bytes
        }
        _ = try ask()
        let session = try ask()
        for round in 1...40 {
            try folder.write("weir.yml", routes.text(round * 2))
            await runner.reload()
        }
        let before = try scrape()
        let descriptors = openDescriptors
        let loads = (0..<2).map { _ in Repeater { _ in try TestConnection.exchange(routes.tcp) } }
        defer { loads.forEach { $0.stop() } }
        var last = before
        var fallen: [String] = []
        var heap: [Int] = []
        for round in 1...Self.reloads {
            try folder.write("weir.yml", routes.text(round))
            await runner.reload()
            guard round % 10 == 0 else { continue }
            try connection.send("still")
            #expect(connection.receive(5).text == "still")
            #expect(try ask() == session)
            let now = try scrape()
            fallen += now.countersBehind(last)
            last = now
            heap.append(heapBytesInUse())
        }
        loads.forEach { $0.stop() }
        #expect(fallen == [])
        #expect(loads.flatMap(\.failures) == [])

        try waitUntil("the last connections are counted") { try scrape()["weir_connections_active"] == 1 }
        let end = try scrape()
        #expect(end.reloads("failure") == Self.reloads / 10)
        #expect(end.reloads("success") == before.reloads("success") + Self.reloads - Self.reloads / 10)
        let opened = loads.reduce(1) { $0 + $1.rounds }
        #expect(end.accepted("kept-0") + end.accepted("kept-1") == opened)
        #expect(end.closed("kept-0", "client_eof") + end.closed("kept-1", "client_eof") == opened - 1)
        #expect(servers.reduce(0) { $0 + $1.accepted } == opened)
        #expect(end.total("weir_tcp_connections_rejected_total") == 0)
        #expect(end.total("weir_dial_failures_total") == 0)
        #expect(end.sessionsOpened("udp-0") == 1 && end.sessionsOpened("udp-1") == 0)
        #expect(end.sessionsActive("udp-0") == 1)
        #expect(end.total("weir_udp_drops_total") == 0)
        try waitUntil("descriptors are back at \(descriptors)") { openDescriptors <= descriptors }
        // A leak grows in both halves; what earlier tests of this process still hold or free does not. What a reload
        // makes for a route is more than 3 KB, 210 times.
        let (early, middle, late) = (heap.prefix(20), heap[40..<60], heap.suffix(20))
        let growth = zip([early, middle], [middle, late]).map { ($1.min() ?? 0) - ($0.max() ?? 0) }
        #expect(growth.contains { $0 < 512 << 10 }, "bytes more: \(growth)")
    }

    private var openDescriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
    }
}
