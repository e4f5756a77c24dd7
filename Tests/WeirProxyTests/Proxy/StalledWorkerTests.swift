import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration
import WeirStream

@testable import WeirProxy

struct StalledWorkerTests {
    @Test("A hook that blocks a worker turns /healthz to 503 with its number, until it returns; the page stays there")
    func stalledWorker() async throws {
        let (server, exporter) = (try TCPServer.echo(), try Ports.free())
        let proxy = try Proxy(
            Configuration(
                exporter: .init(listen: [.address(.init(over: .tcp, address: .loopbackIPv4, port: exporter))]),
                log: .init(level: .error), workers: .fixed(2),
                shutdown: .init(delay: .zero, drainTimeout: .seconds(2)),
                routes: [makeRoute("a", listen: try Ports.free(), upstream: server.port)]))
        try await proxy.start()
        let go = TestSemaphore()
        // A stream of an embedding program, on the workers that the routes use.
        let engine = await proxy.components.engine
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "\(server.endpoint)", engine: engine)
        try await stream.listenAndServe(
            hooks: StreamHooks(admit: { _ in
                go.wait()
                return .accept
            }))
        func health() throws -> HTTP.Response { try HTTP.get("/healthz", port: exporter) }
        #expect(try health().status == 200)

        let client = try TestConnection(to: Endpoint(stream.localAddress.port))
        try client.send("?")
        do {
            try waitUntil("the worker counts as stalled", deadline: .seconds(20)) { try health().status == 503 }
            let answer = try health()
            let names = [0, 1].map { "worker \($0) has not turned for 5 s\n" }
            #expect(names.contains(answer.text))
            // What a service manager's watchdog goes by.
            #expect(proxy.stalledWorker != nil)
            #expect(try HTTP.get("/metrics", port: exporter).status == 200)
            #expect(try HTTP.get("/readyz", port: exporter).status == 200)
        } catch {
            go.signal()
            throw error
        }
        go.signal()
        try waitUntil("the worker turns again") { try health().status == 200 }
        #expect(proxy.stalledWorker == nil)
        #expect(client.receive(1).text == "?")
        client.close()
        await stream.kill()
        await stream.waitUntilClosed()
        await proxy.shutdown()
    }
}
