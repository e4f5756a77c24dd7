import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration

@testable import WeirProxy

/// The calls that start, reload and end a proxy, in every order and at once. Each must return: none is awaited without
/// a deadline.
struct ProxyLifecycleTests {
    private func configuration(
        _ ports: [UInt16], exporter: UInt16, drainTimeout: Duration = .seconds(2), upstream: UInt16 = 9
    ) -> Configuration {
        Configuration(
            exporter: .init(listen: [.address(.init(over: .tcp, address: .loopbackIPv4, port: exporter))]),
            log: .init(level: .error), workers: .fixed(2),
            shutdown: .init(delay: .zero, drainTimeout: drainTimeout),
            routes: ports.map { makeRoute("r\($0)", listen: $0, upstream: upstream) })
    }

    /// The outcome of a call, once it has returned.
    private func outcome(
        of call: String, _ body: @escaping @Sendable () async throws(ProxyError) -> Void
    ) async throws -> ProxyError? {
        let (hasReturned, failure) = (Shared(false), Shared<ProxyError?>(nil))
        Task {
            do throws(ProxyError) {
                try await body()
            } catch {
                failure.withLock { $0 = error }
            }
            hasReturned.withLock { $0 = true }
        }
        try await waitUntil("\(call) returns") { await isTrue(hasReturned) }
        return failure.withLock { $0 }
    }

    /// Asynchronous, so that waiting for it takes no thread from the pool, on which all these calls run.
    private func isTrue(_ flag: Shared<Bool>) async -> Bool { flag.withLock { $0 } }

    private func isEnding(_ error: ProxyError?) -> Bool {
        if case .ending? = error { true } else { false }
    }

    @Test func `a second start is an error, and what the first one serves goes on`() async throws {
        let (server, port, exporter) = (try TCPServer.echo(), try Ports.free(), try Ports.free())
        let proxy = try Proxy(configuration([port], exporter: exporter, upstream: server.port))
        try await proxy.start()
        let error = try await outcome(of: "the second start") { () async throws(ProxyError) in try await proxy.start() }
        guard case .alreadyStarted? = error else {
            Issue.record("expected alreadyStarted, got \(String(describing: error))")
            return
        }
        let client = try TestConnection(to: Endpoint(port))
        try client.send("hello")
        #expect(client.receive(5).text == "hello")
        client.close()
        #expect(try HTTP.get("/readyz", port: exporter).status == 200)
        await proxy.shutdown()
    }

    @Test func `a reload before the start is an error of its own, and the start goes on as ever`() async throws {
        let (port, exporter) = (try Ports.free(), try Ports.free())
        let configuration = configuration([port], exporter: exporter)
        let proxy = try Proxy(configuration)
        let error = try await outcome(of: "apply") { () async throws(ProxyError) in try await proxy.apply(configuration)
        }
        guard case .notStarted? = error else {
            Issue.record("expected notStarted, got \(String(describing: error))")
            return
        }
        try await proxy.start()
        #expect(try HTTP.get("/readyz", port: exporter).status == 200)
        await proxy.shutdown()
    }

    @Test func `a reload after the end throws that it is ending`() async throws {
        let (port, exporter) = (try Ports.free(), try Ports.free())
        let configuration = configuration([port], exporter: exporter)
        let proxy = try Proxy(configuration)
        try await proxy.start()
        await proxy.shutdown()
        let error = try await outcome(of: "apply") { () async throws(ProxyError) in try await proxy.apply(configuration)
        }
        #expect(isEnding(error))
        let again = try await outcome(of: "start") { () async throws(ProxyError) in try await proxy.start() }
        #expect(isEnding(again))
    }

    @Test func `a reload while connections drain throws at once, not when they are gone`() async throws {
        let (server, port, exporter) = (try TCPServer.echo(), try Ports.free(), try Ports.free())
        let configuration = configuration(
            [port], exporter: exporter, drainTimeout: .seconds(600), upstream: server.port)
        let proxy = try Proxy(configuration)
        try await proxy.start()
        let client = try TestConnection(to: Endpoint(port))
        try client.send("hello")
        #expect(client.receive(5).text == "hello")
        let isClosed = Shared(false)
        Task {
            await proxy.shutdown()
            isClosed.withLock { $0 = true }
        }
        // The listener is closed, so the drain has begun, in its own turn.
        try waitUntil("the route listens no more") { (try? TestConnection(to: Endpoint(port))) == nil }
        let error = try await outcome(of: "apply") { () async throws(ProxyError) in try await proxy.apply(configuration)
        }
        #expect(isEnding(error))
        #expect(!isClosed.withLock { $0 })
        client.close()
        try await waitUntil("the shutdown returns") { await isTrue(isClosed) }
    }

    @Test func `a shutdown before the start leaves nothing, and the start says so`() async throws {
        let (port, exporter) = (try Ports.free(), try Ports.free())
        let proxy = try Proxy(configuration([port], exporter: exporter))
        _ = try await outcome(of: "shutdown") { () async throws(ProxyError) in await proxy.shutdown() }
        let error = try await outcome(of: "start") { () async throws(ProxyError) in try await proxy.start() }
        #expect(isEnding(error))
        for port in [port, exporter] { #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(port)) } }
    }

    @Test func `a shutdown during the start leaves nothing that listens, and both return`() async throws {
        for _ in 0..<10 {
            let ports = try (0..<12).map { _ in try Ports.free() }
            let exporter = try Ports.free()
            let proxy = try Proxy(configuration(ports, exporter: exporter))
            let isStarting = Shared(false)
            async let started: Void = {
                isStarting.withLock { $0 = true }
                do throws(ProxyError) {
                    try await proxy.start()
                } catch {
                    guard case .ending = error else {
                        Issue.record("the start failed by itself: \(error)")
                        return
                    }
                }
            }()
            try await waitUntil("the start begins") { await isTrue(isStarting) }
            _ = try await outcome(of: "shutdown") { () async throws(ProxyError) in await proxy.shutdown() }
            await started
            for port in ports + [exporter] {
                #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(port)) }
            }
            #expect(await proxy.reports.isEmpty)
        }
    }

    @Test func `two shutdowns at once both return when everything is closed`() async throws {
        let (port, exporter) = (try Ports.free(), try Ports.free())
        let proxy = try Proxy(configuration([port], exporter: exporter))
        try await proxy.start()
        async let first = outcome(of: "the first") { () async throws(ProxyError) in
            await proxy.shutdown()
            #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(exporter)) }
        }
        async let second = outcome(of: "the second") { () async throws(ProxyError) in
            await proxy.shutdown()
            #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(exporter)) }
        }
        _ = try await (first, second)
    }
}
