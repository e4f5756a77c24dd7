import LinuxIO
import NetworkTypes
import TestSupport

@testable import WeirStream

/// Chooses by the first byte, once `length` bytes are there: `a` is the first route, `b` the second, `c` one that the
/// table does not have, `*` is the first one because it takes the rest, `#` likewise as no TLS, `!` is malformed, `+`
/// is too long, and no route wants the rest.
struct FirstByteMatcher: FirstBytesMatcher {
    var length = 1
    let looks = Box(0)

    func match(_ bytes: Span<UInt8>, isEnd: Bool, stage: Int, serverName: inout [UInt8]?) -> FirstBytesMatch {
        looks.add(1)
        guard bytes.count >= length else { return .needsMore(atLeast: length) }
        switch bytes[0] {
        case UInt8(ascii: "a"): return .route(0)
        case UInt8(ascii: "b"): return .route(1)
        case UInt8(ascii: "c"): return .route(2)
        case UInt8(ascii: "*"): return .route(0, by: .default)
        case UInt8(ascii: "#"): return .route(0, by: .notTLS)
        case UInt8(ascii: "!"): return .none(.malformed)
        case UInt8(ascii: "+"): return .none(.tooLong)
        default: return .none(.noMatch)
        }
    }
}

/// Remembers what a shared listener tells.
final class ListenerRecorder: ListenerObserver {
    struct Seen: Sendable {
        var accepted = 0
        var headersRead = 0
        var headersFailed: [ProxyHeaderError] = []
        var decided: [Int] = []
        /// The results beside `decided`; nil where nothing was inspected.
        var results: [FirstBytesResult?] = []
        var failed: [ListenerFailure] = []
        var clients: [SocketAddress] = []
        var pauses = 0
    }

    private let box = Box(Seen())

    var seen: Seen { box.value }

    func expect(_ failure: ListenerFailure, times: Int = 1) throws {
        try waitUntil("\(failure) x\(times) is told; so far \(seen.failed.suffix(20))") {
            seen.failed.count { $0 == failure } >= times
        }
    }

    func accepted(worker: Int) { box.update { $0.accepted += 1 } }
    func proxyHeaderRead(version: ProxyHeader.Version, worker: Int) { box.update { $0.headersRead += 1 } }

    func proxyHeaderFailed(reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int) {
        box.update { $0.headersFailed.append(reason) }
    }

    func decided(route: Int, by result: FirstBytesResult?, worker: Int) {
        box.update { seen in
            seen.decided.append(route)
            seen.results.append(result)
        }
    }

    func failed(_ reason: ListenerFailure, client: SocketAddress, serverName: [UInt8]?, worker: Int) {
        box.update { seen in
            seen.failed.append(reason)
            seen.clients.append(client)
        }
    }

    func acceptPaused(worker: Int) { box.update { $0.pauses += 1 } }
}

/// A listener with a table of two routes, `a` and `b`, each with a server that says its name and then echoes, after a
/// `beginning` of the test's own. Its functions block: for plain threads.
struct SharedRig: Sendable {
    let engine: StreamEngine
    let listener: SharedListener
    let matcher: FirstByteMatcher
    /// The matcher of the table; nil for ``matcher``.
    fileprivate let other: (any FirstBytesMatcher)?
    let routes: [TCPStream]
    let clock: TestClock?
    fileprivate let listenerRecorder: ListenerRecorder
    fileprivate let routeRecorders: [Recorder]

    /// The listener's recorder, after the turns of everything that the test has seen before.
    var told: ListenerRecorder {
        engine.finishTurns()
        return listenerRecorder
    }

    /// The recorders of the routes, likewise.
    var recorders: [Recorder] {
        engine.finishTurns()
        return routeRecorders
    }

    var endpoint: Endpoint { Endpoint(listener.localAddress.port) }
    var table: ListenerTarget { .table(FirstBytesTable(matcher: other ?? matcher, routes: routes)) }
    var hooks: ListenerHooks { ListenerHooks(observer: listenerRecorder) }

    func connect() throws -> TestConnection { try TestConnection(to: endpoint) }

    func advance(by duration: Duration) {
        clock?.advance(by: duration)
        for worker in engine.workers { worker.thread.wake() }
    }

    /// Waits until as many came as were decided, failed and are undecided, and those are `count`.
    func expectUndecided(_ count: Int, accepted: Int) throws {
        try waitUntil("\(count) of \(accepted) are undecided; so far \(listener.undecidedCount), \(told.seen)") {
            listener.undecidedCount == count && told.seen.accepted == accepted
                && told.seen.decided.count + told.seen.failed.count + count == accepted
        }
    }

    /// Every connection of every route ended once, or is open.
    func expectRoutesAddUp() throws {
        for (route, recorder) in zip(routes, recorders) {
            try waitUntil("accepted = active + closed + rejected: \(recorder.events)") {
                let events = recorder.events
                let ended = events.count {
                    switch $0 {
                    case .closed, .rejected: true
                    default: false
                    }
                }
                return events.count { $0 == .opened } == ended + route.openCount
            }
        }
    }
}

func withShared(
    listen: String = "tcp://127.0.0.1:0", settings: ListenerSettings = ListenerSettings(),
    matcher: FirstByteMatcher = FirstByteMatcher(),
    other: (any FirstBytesMatcher)? = nil, engine setup: EngineSetup = EngineSetup(),
    hooks: ListenerHooks = ListenerHooks(), routeSettings: TCPSettings = TCPSettings(),
    routeHooks: StreamHooks = StreamHooks(), earlierUpstreams: [String] = [],
    beginning: @escaping @Sendable (TestConnection) throws -> Void = { _ in },
    _ body: @escaping @Sendable (SharedRig) throws -> Void
) async throws {
    let engine = try setup.makeEngine()
    let servers = try ["A", "B"].map { name in
        try setup.makeInNetwork {
            try TCPServer { connection in
                try beginning(connection)
                try connection.send(name)
                while true {
                    let received = connection.receiveSome()
                    if received.bytes.isEmpty { return }
                    try connection.send(received.bytes)
                }
            }
        }
    }
    let recorders = [Recorder(), Recorder()]
    let routes = try servers.map { server in
        try TCPStream(
            name: "route", listen: [], upstreams: (earlierUpstreams + ["\(server.endpoint)"]).map { try Upstream($0) },
            settings: routeSettings, engine: engine)
    }
    for (route, recorder) in zip(routes, recorders) {
        var hooks = routeHooks
        hooks.observer = recorder
        try await route.listenAndServe(hooks: hooks)
    }
    var hooks = hooks
    let told = ListenerRecorder()
    hooks.observer = told
    let rig = SharedRig(
        engine: engine, listener: try SharedListener(listen, settings: settings, engine: engine),
        matcher: matcher, other: other, routes: routes, clock: setup.clock, listenerRecorder: told,
        routeRecorders: recorders)
    let result: Result<Void, any Error>
    do {
        try setup.makeInNetwork { try rig.listener.bind() }
        try await rig.listener.serve(rig.table, hooks: hooks)
        try await offPool { try body(rig) }
        result = .success(())
    } catch {
        result = .failure(error)
    }
    await rig.listener.kill()
    await rig.listener.waitUntilClosed()
    for route in routes {
        await route.kill()
        await route.waitUntilClosed()
    }
    await engine.shutdown()
    try result.get()
}
