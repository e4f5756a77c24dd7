import LinuxIO
import NetworkTypes
import TestSupport

@testable import WeirStream

/// A stream on an engine of its own, with everything a test looks at. Its functions block: for plain threads.
struct Rig<Served: Stream>: Sendable {
    let engine: StreamEngine
    let stream: Served
    let clock: TestClock?
    fileprivate let told: Recorder
    private let isHeld = Box(false)

    fileprivate init(engine: StreamEngine, stream: Served, recorder: Recorder, clock: TestClock?) {
        self.engine = engine
        self.stream = stream
        self.told = recorder
        self.clock = clock
    }

    /// The record of what the engine has told. A peer sees a byte in the middle of a turn, and an observer is told at
    /// its end: the record includes the turns of everything that the test has seen before. Not on a loop's own thread.
    var recorder: Recorder {
        if !isHeld.value { finishTurns() }
        return told
    }

    /// The address to which clients connect.
    var endpoint: Endpoint {
        let address = stream.localAddress
        if address.ip == .anyIPv4 { return Endpoint("127.0.0.1", address.port) }
        if address.ip == .anyIPv6 { return Endpoint("::1", address.port) }
        return Endpoint(address.ip.description, address.port)
    }

    /// Turns the clock and lets every loop see it.
    func advance(by duration: Duration) {
        clock?.advance(by: duration)
        turn()
    }

    /// Makes every loop turn once at least: a job runs only between turns.
    func turn() {
        for worker in engine.workers { worker.thread.wake() }
    }

    /// Waits until every loop has ended the turn that it is in.
    func finishTurns() { engine.finishTurns() }

    /// Waits for a condition while the clock runs a millisecond at a time, for what has a short timer of its own.
    func waitWhileTicking(_ what: String, _ condition: () throws -> Bool) throws {
        try waitUntil(what) {
            advance(by: .milliseconds(1))
            return try condition()
        }
    }

    /// Keeps the loop of worker 0 from turning while `body` runs.
    func whileHeld<Result>(_ body: () throws -> Result) throws -> Result {
        try engine.whileHeld {
            isHeld.set(true)
            defer { isHeld.set(false) }
            return try body()
        }
    }

    func close(drainTimeout: Duration = .seconds(30)) throws {
        try wait { await stream.close(drainTimeout: drainTimeout) }
    }

    func kill() throws { try wait { await stream.kill() } }
    func waitUntilClosed() throws { try wait { await stream.waitUntilClosed() } }

    private func wait(_ body: @escaping @Sendable () async -> Void) throws {
        try WeirStreamTests.wait(for: body)
    }
}

extension Worker {
    fileprivate func hold(_ started: TestSemaphore, until go: TestSemaphore) {
        started.signal()
        go.wait()
    }

    fileprivate func tell(_ ended: TestSemaphore) { ended.signal() }
}

extension StreamEngine {
    /// Keeps the loop of worker 0 from turning while `body` runs.
    func whileHeld<Result>(_ body: () throws -> Result) throws -> Result {
        let started = TestSemaphore()
        let go = TestSemaphore()
        let worker = workers[0]
        Task { await worker.hold(started, until: go) }
        started.wait()
        defer { go.signal() }
        return try body()
    }

    /// Waits until every loop has ended the turn that it is in. Not on a loop's own thread.
    func finishTurns() {
        let ended = TestSemaphore()
        for worker in workers { Task { await worker.tell(ended) } }
        for _ in workers { ended.wait() }
    }
}

extension StreamEngine {
    /// Whether a dial to the address would reach a listener of the engine.
    func wouldLoop(_ transport: Transport, _ address: SocketAddress) -> Bool {
        guard let upstream = try? Upstream(.address(ScopedAddress(address.ip)), port: address.port) else {
            return false
        }
        return wouldLoop(transport, upstream)
    }
}

/// The engine settings of a test.
struct EngineSetup: Sendable {
    var workers = 1
    var clock: TestClock?
    var resolver: any NameResolver = SystemResolver()
    var maxConnections: Int?
    var bufferMemory: Int?
    var resolveInterval: Duration?
    var minResolveInterval: Duration?
    var observer: (any EngineObserver)?
    /// The network namespace of the engine's sockets: a new thread inherits the namespace of the one that starts it.
    var network: NetworkNamespace?

    func makeEngine() throws -> StreamEngine {
        var options = StreamEngine.Options(workers: workers)
        if let clock { options.clock = clock.clock }
        options.resolver = resolver
        options.maxConnections = maxConnections
        options.observer = observer
        if let bufferMemory { options.bufferMemory = bufferMemory }
        if let resolveInterval { options.resolveInterval = resolveInterval }
        if let minResolveInterval { options.minResolveInterval = minResolveInterval }
        guard let network else { return try StreamEngine(options) }
        return try network.run { try StreamEngine(options) }
    }

    /// Makes something in the engine's network.
    func makeInNetwork<Result>(_ make: () throws -> Result) throws -> Result {
        if let network { try network.run(make) } else { try make() }
    }

    /// For what must be bound in the engine's network: without one it is bound when it is served.
    fileprivate func inNetwork(_ bind: () throws -> Void) throws {
        if let network { try network.run(bind) }
    }
}

/// Serves a TCP stream while `body` runs on a thread of its own, then ends it all.
func withTCP(
    _ upstreams: String..., listen: String = "tcp://127.0.0.1:0", andAt others: [String] = [],
    settings: TCPSettings = TCPSettings(),
    engine setup: EngineSetup = EngineSetup(), hooks: StreamHooks = StreamHooks(),
    prepare: (StreamEngine) -> Void = { _ in },
    _ body: @escaping @Sendable (Rig<TCPStream>) throws -> Void
) async throws {
    let engine = try setup.makeEngine()
    prepare(engine)
    let stream = try TCPStream(
        name: "test", listen: ([listen] + others).map { try ListenAddress($0) },
        upstreams: upstreams.map { try Upstream($0) },
        settings: settings, engine: engine)
    try setup.inNetwork { try stream.bind() }
    try await serve(Rig(engine: engine, stream: stream, recorder: Recorder(), clock: setup.clock), hooks, body)
}

/// Serves a UDP stream while `body` runs on a thread of its own, then ends it all.
func withUDP(
    _ upstreams: String..., listen: String = "udp://127.0.0.1:0", andAt others: [String] = [],
    settings: UDPSettings = UDPSettings(),
    engine setup: EngineSetup = EngineSetup(), hooks: StreamHooks = StreamHooks(),
    _ body: @escaping @Sendable (Rig<UDPStream>) throws -> Void
) async throws {
    let engine = try setup.makeEngine()
    let stream = try UDPStream(
        name: "test", listen: ([listen] + others).map { try ListenAddress($0) },
        upstreams: upstreams.map { try Upstream($0) },
        settings: settings, engine: engine)
    try setup.inNetwork { try stream.bind() }
    try await serve(Rig(engine: engine, stream: stream, recorder: Recorder(), clock: setup.clock), hooks, body)
}

private func serve<Served>(
    _ rig: Rig<Served>, _ hooks: StreamHooks, _ body: @escaping @Sendable (Rig<Served>) throws -> Void
) async throws {
    var hooks = hooks
    hooks.observer = rig.told
    do {
        try await rig.stream.listenAndServe(hooks: hooks)
        try await offPool { try body(rig) }
    } catch {
        await rig.stream.kill()
        await rig.engine.shutdown()
        throw error
    }
    await rig.stream.kill()
    await rig.stream.waitUntilClosed()
    await rig.engine.shutdown()
}

extension Rig where Served == TCPStream {
    /// Connects and sends nothing.
    func connect(receiveBuffer: Int32? = nil) throws -> TestConnection {
        try TestConnection(to: endpoint, receiveBuffer: receiveBuffer)
    }

    /// Connects and sees one byte come back through the upstream, which must echo.
    func connectThrough() throws -> TestConnection {
        let client = try connect()
        try client.send("?")
        let answer = client.receive(1)
        guard answer.text == "?" else { throw DeadlineExceeded(description: "no echo: \(answer)") }
        return client
    }
}
