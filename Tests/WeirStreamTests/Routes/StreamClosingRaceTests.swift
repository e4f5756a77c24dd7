import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

/// Streams that are closed or killed while they start, and everything else that may come at the same time.
@Suite(.timeLimit(.minutes(2))) struct StreamClosingRaceTests {
    enum Ending: String, CaseIterable {
        case close, kill
    }

    private static func end(_ stream: any WeirStream.Stream, _ ending: Ending) async {
        switch ending {
        case .close: await stream.close(drainTimeout: .zero)
        case .kill: await stream.kill()
        }
    }

    private static func makeStream(
        _ engine: StreamEngine, _ transport: Transport, port: UInt16, upstream: String = "127.0.0.1:1"
    ) throws -> any WeirStream.Stream {
        let listen = "\(transport.rawValue)://127.0.0.1:\(port)"
        return switch transport {
        case .tcp: try TCPStream(listen: listen, upstream: upstream, engine: engine)
        case .udp: try UDPStream(listen: listen, upstream: upstream, engine: engine)
        }
    }

    /// Fails where a stream has left anything of itself: its address, its mark among our own listeners, its part of the
    /// descriptors or of the workers' memory.
    private static func expectNothingLeft(
        of stream: any WeirStream.Stream, _ engine: StreamEngine, _ transport: Transport, port: UInt16
    ) async throws {
        await stream.waitUntilClosed()
        let address = SocketAddress(.loopbackIPv4, port: port)
        #expect(!engine.wouldLoop(transport, address))
        for worker in engine.workers {
            #expect(await worker.isEmpty)
            #expect(await !worker.knowsOwnListener(transport, address))
        }
        // Not allowing company: the address must be free.
        let other = try Socket(transport == .tcp ? .stream : .datagram, family: .ipv4)
        if transport == .tcp { try other.set(.reuseAddress, true) }
        try other.bind(address)
        if transport == .tcp { try other.listen(backlog: 1) }
        other.close()
    }

    /// A worker lets so many rounds of its jobs pass until the end is asked for: it falls into each part of the start.
    @Test(arguments: Array(0..<10), [(Transport.tcp, Ending.close), (.tcp, .kill), (.udp, .close), (.udp, .kill)])
    func `a start that a close or kill meets halfway leaves nothing behind`(
        rounds: Int, what: (transport: Transport, ending: Ending)
    ) async throws {
        let engine = try EngineSetup(workers: 2).makeEngine()
        let limit = engine.connectionLimit
        let port = try Ports.free()
        let stream = try Self.makeStream(engine, what.transport, port: port)
        let gate = WorkerGate(engine.workers[1])
        try await offPool { try gate.hold() }
        async let start = Self.serve(stream)
        try await offPool { for _ in 0..<rounds { try gate.letRound() } }
        async let end: Void = Self.end(stream, what.ending)
        try await offPool { gate.open() }
        await end
        let error = await start
        #expect(error == nil || error == .closed)
        try await Self.expectNothingLeft(of: stream, engine, what.transport, port: port)
        #expect(engine.connectionLimit == limit)
        await #expect(throws: StreamError.self) { try await stream.listenAndServe() }
        await engine.shutdown()
    }

    private static func serve(_ stream: any WeirStream.Stream) async -> StreamError? {
        do throws(StreamError) {
            try await stream.listenAndServe()
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [Transport.tcp, .udp], Ending.allCases)
    func `a stream that was ended before its start does not start`(transport: Transport, ending: Ending) async throws {
        let engine = try EngineSetup(workers: 2).makeEngine()
        let port = try Ports.free()
        let stream = try Self.makeStream(engine, transport, port: port)
        await Self.end(stream, ending)
        await #expect(throws: StreamError.closed) { try await stream.listenAndServe() }
        try await Self.expectNothingLeft(of: stream, engine, transport, port: port)
        await engine.shutdown()
    }

    @Test func `those who wait for the end of a stream are told when its start fails`() async throws {
        let engine = try EngineSetup(workers: 2).makeEngine()
        let limit = engine.connectionLimit
        let port = try Ports.free()
        // It would dial itself.
        let stream = try Self.makeStream(engine, .tcp, port: port, upstream: "127.0.0.1:\(port)")
        let gate = WorkerGate(engine.workers[0])
        try await offPool { try gate.hold() }
        async let start = Self.serve(stream)
        try await offPool { try waitUntil("it is bound") { try OpenSockets.listening(on: [port]) > 0 } }
        async let end: Void = stream.waitUntilClosed()
        try await offPool { gate.open() }
        #expect(await start != nil)
        await end
        #expect(engine.connectionLimit == limit)
        await engine.shutdown()
    }

    @Test func `clients of the moment in which a start and a close meet end with it`() async throws {
        let server = try TCPServer.echo()
        let engine = try EngineSetup(workers: 2).makeEngine()
        let port = try Ports.free()
        let recorder = Recorder()
        let stream = try TCPStream(listen: "tcp://127.0.0.1:\(port)", upstream: "\(server.endpoint)", engine: engine)
        try stream.bind()
        let clients = try await offPool { try (0..<8).map { _ in try TestConnection(to: Endpoint(port)) } }
        async let start = Self.serve(stream, recorder)
        async let end: Void = stream.close(drainTimeout: .zero)
        await end
        _ = await start
        await stream.waitUntilClosed()
        for client in clients { #expect(try await offPool { client.receive().bytes }.isEmpty) }
        #expect(stream.openCount == 0)
        let closings = recorder.events.count { if case .closed = $0 { true } else { false } }
        #expect(recorder.count(.opened) == closings)
        await engine.shutdown()
    }

    private static func serve(_ stream: TCPStream, _ recorder: Recorder) async -> StreamError? {
        do throws(StreamError) {
            try await stream.listenAndServe(observer: recorder)
            return nil
        } catch {
            return error
        }
    }

    /// Everything that a stream can be told, by several tasks at once, in an order that a seed chooses.
    @Test(arguments: [Transport.tcp, .udp], [UInt64](1...UInt64(fuzzRounds(8))))
    func `a storm of starts, updates and ends leaves nothing behind`(transport: Transport, seed: UInt64) async throws {
        let engine = try EngineSetup(workers: 2, resolver: TableResolver(["name.test": ["127.0.0.1"]])).makeEngine()
        let limit = engine.connectionLimit
        let port = try Ports.free()
        var generator = SeededGenerator(seed: seed)
        let watch = ObserverWatch()
        for _ in 0..<8 {
            let stream = try Self.makeStream(engine, transport, port: port, upstream: "name.test:9")
            let scripts = (0..<4).map { _ in (0..<4).map { _ in Int.random(in: 0..<8, using: &generator) } }
            await withTaskGroup(of: Void.self) { group in
                for script in scripts {
                    group.addTask { for step in script { await Self.perform(step, on: stream, watch) } }
                }
            }
            await stream.close(drainTimeout: .zero)
            try await Self.expectNothingLeft(of: stream, engine, transport, port: port)
        }
        #expect(engine.connectionLimit == limit)
        // A watch over a name that was left behind would hold the observer that it tells.
        try await offPool { try waitUntil("no observer is held any more") { watch.living == 0 } }
        await engine.shutdown()
    }

    private static func perform(_ step: Int, on stream: any WeirStream.Stream, _ watch: ObserverWatch) async {
        let upstreams = (try? [Upstream("other.test:9"), Upstream("name.test:9")]) ?? []
        let hooks = StreamHooks(observer: watch.makeObserver())
        switch (step, stream) {
        case (0, _), (1, _), (2, _): try? await stream.listenAndServe(hooks: hooks)
        case (3, _): await stream.close(drainTimeout: .zero)
        case (4, _): await stream.kill()
        case (5, let stream as TCPStream):
            try? await stream.update(name: "b", upstreams: upstreams, settings: TCPSettings(), hooks: hooks)
        case (5, let stream as UDPStream):
            try? await stream.update(name: "b", upstreams: upstreams, settings: UDPSettings(), hooks: hooks)
        case (6, let stream as UDPStream):
            _ = try? await stream.reopen(name: "c", upstreams: upstreams, settings: UDPSettings(), hooks: hooks)
        case (7, let stream as TCPStream): try? stream.bind()
        case (7, let stream as UDPStream): try? stream.bind()
        default: await Task.yield()
        }
    }
}

/// Knows which of the observers that it made are still held.
private final class ObserverWatch: Sendable {
    private struct Reference: Sendable {
        weak let observer: Recorder?
    }

    private let made = Box<[Reference]>([])

    func makeObserver() -> Recorder {
        let observer = Recorder()
        made.update { $0.append(Reference(observer: observer)) }
        return observer
    }

    var living: Int { made.value.count { $0.observer != nil } }
}

/// Holds a worker between its jobs, and lets those that have queued meanwhile run a round at a time. Its functions
/// block: for plain threads.
final class WorkerGate: Sendable {
    private let worker: Worker
    private let arrived = TestSemaphore()
    private let go = TestSemaphore()
    private let isOpen = Box(false)

    init(_ worker: Worker) { self.worker = worker }

    func hold() throws {
        Task { [self] in await worker.stop(at: self) }
        arrived.wait()
    }

    /// Lets all that has queued so far run.
    func letRound() throws {
        go.signal()
        arrived.wait()
    }

    func open() {
        isOpen.set(true)
        go.signal()
    }

    /// On the worker. False once the gate is open.
    fileprivate func stop() -> Bool {
        arrived.signal()
        go.wait()
        return !isOpen.value
    }
}

extension Worker {
    fileprivate func stop(at gate: WorkerGate) {
        // The task inherits the worker: its job is queued here and now, behind those that came meanwhile.
        if gate.stop() { Task { self.stop(at: gate) } }
    }

    var isEmpty: Bool { core.routes.isEmpty && core.listeners.isEmpty }

    func knowsOwnListener(_ transport: Transport, _ address: SocketAddress) -> Bool {
        core.ownListeners.wouldLoop(transport, address)
    }
}
