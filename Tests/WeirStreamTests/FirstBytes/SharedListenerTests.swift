import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// A matcher that answers for ever.
private struct EndlessAnswers: FirstBytesMatcher {
    var consuming = 1

    func match(_ bytes: Span<UInt8>, isEnd: Bool, stage: Int, serverName: inout [UInt8]?) -> FirstBytesMatch {
        .answer(FirstBytesAnswer(consuming: consuming, [UInt8(ascii: "0") + UInt8(stage)], stage: stage + 1))
    }
}

/// Tests of a listener with several routes, of which the first bytes choose one.
@Suite(.timeLimit(.minutes(1))) struct SharedListenerTests {
    private typealias Client = TestConnection

    @Test(arguments: [1, 2])
    func `the first byte chooses the route, which gets it and all behind it`(workers: Int) async throws {
        try await withShared(engine: EngineSetup(workers: workers)) { rig in
            for _ in 0..<20 {
                for (text, name) in [("a1", "A"), ("b2", "B")] {
                    let client = try rig.connect()
                    try client.send(text)
                    #expect(client.receive(3).text == name + text)
                    try client.shutdownWriting()
                    #expect(client.receive().isWhole([]))
                }
            }
            for recorder in rig.recorders { try rig.expect(recorder, opened: 20) }
            try rig.expectUndecided(0, accepted: 40)
            try rig.expectRoutesAddUp()
            #expect(rig.told.seen.failed.isEmpty)
        }
    }

    @Test func `a transfer behind the choice is spliced`() async throws {
        let size = 24 << 20
        let longest = Box(0)
        var hooks = StreamHooks()
        hooks.onRead = { event in
            longest.update { $0 = max($0, event.byteCount) }
            return .forward
        }
        try await withShared(routeHooks: hooks, beginning: { try $0.send(Pattern.bytes(size)) }) { rig in
            let client = try rig.connect()
            try client.setTimeouts(seconds: 30)
            try client.send("a")
            expectSame(Array(client.receive(size + 2).bytes), Pattern.bytes(size) + Array("Aa".utf8))
        }
        #expect(longest.value > RelayResources.bufferSize)
    }

    @Test func `bytes that come one at a time are looked at only when there are enough`() async throws {
        try await withShared(matcher: FirstByteMatcher(length: 40)) { rig in
            let client = try rig.connect()
            let text = "b" + String(repeating: "x", count: 60)
            for byte in text.utf8.prefix(39) { try client.send([byte]) }
            try rig.expectUndecided(1, accepted: 1)
            for byte in text.utf8.dropFirst(39) { try client.send([byte]) }
            #expect(client.receive(1 + text.utf8.count).text == "B" + text)
            // The first look finds nothing or a byte, and the kernel tells of the fortieth.
            #expect(rig.matcher.looks.value <= 3)
            try rig.expectUndecided(0, accepted: 1)
        }
    }

    @Test func `a client that matches no route is reset, and counted under its reason`() async throws {
        try await withShared(matcher: FirstByteMatcher(length: 2)) { rig in
            for (text, failure) in [
                ("zz", ListenerFailure.noMatch), ("!!", .malformed), ("++", .tooLong), ("cc", .error),
            ] {
                let client = try rig.connect()
                try client.send(text)
                #expect(client.receive().ending == .reset)
                try rig.told.expect(failure)
            }
            // It ends before it has said enough.
            let half = try rig.connect()
            try half.send("a")
            try half.shutdownWriting()
            #expect(half.receive().ending == .reset)
            let silent = try rig.connect()
            silent.close()
            let broken = try rig.connect()
            try broken.send("a")
            try rig.expectUndecided(1, accepted: 7)
            try broken.reset()
            try rig.told.expect(.closed, times: 3)
            try rig.expectUndecided(0, accepted: 7)
            for recorder in rig.recorders { #expect(recorder.events.isEmpty) }
        }
    }

    @Test func `the observer hears how the bytes chose, and nothing where none were inspected`() async throws {
        try await withShared { rig in
            for (index, text) in ["a", "*", "#"].enumerated() {
                let client = try rig.connect()
                try client.send(text)
                #expect(client.receive(2).text == "A" + text)
                try rig.expectUndecided(0, accepted: index + 1)
            }
            try wait {
                try await rig.listener.update(.route(rig.routes[1]), settings: ListenerSettings(), hooks: rig.hooks)
            }
            let direct = try rig.connect()
            #expect(direct.receive(1).text == "B")
            #expect(rig.told.seen.results == [.name, .default, .notTLS, nil])
        }
    }

    @Test func `a client that sends nothing ends when its time is over`() async throws {
        try await withShared(engine: EngineSetup(clock: TestClock())) { rig in
            let client = try rig.connect()
            try rig.expectUndecided(1, accepted: 1)
            rig.advance(by: .seconds(4))
            let other = try rig.connect()
            try rig.expectUndecided(2, accepted: 2)
            rig.advance(by: .seconds(2))
            #expect(client.receive().ending == .reset)
            try rig.told.expect(.timeout)
            try rig.expectUndecided(1, accepted: 2)
            try other.send("a")
            #expect(other.receive(2).text == "Aa")
            // The time is that of the first bytes alone.
            rig.advance(by: .seconds(60))
            try other.send("?")
            #expect(other.receive(1).text == "?")
        }
    }

    @Test func `a client that never sends enough for a choice is too long`() async throws {
        try await withShared(matcher: FirstByteMatcher(length: 1 << 20)) { rig in
            let client = try rig.connect()
            try client.send([UInt8](repeating: 97, count: FirstBytesTable.maxBytes))
            #expect(client.receive().ending == .reset)
            try rig.told.expect(.tooLong)
        }
    }

    @Test(arguments: [1, 2])
    func `undecided clients are bounded, and the network with most of them loses its oldest`(workers: Int) async throws
    {
        var settings = ListenerSettings()
        settings.maxUndecided = 100
        try await withShared(settings: settings, engine: EngineSetup(workers: workers)) { rig in
            let clients = try (0..<1_000).map { _ in try rig.connect() }
            try rig.expectUndecided(100, accepted: 1_000)
            #expect(rig.told.seen.failed.allSatisfy { $0 == .overflow })
            // A client that sends a byte is served at the limit, too.
            let client = try rig.connect()
            try client.send("a")
            #expect(client.receive(2).text == "Aa")
            try rig.expectUndecided(rig.listener.undecidedCount, accepted: 1_001)
            // The last ones came through, and choose now.
            #expect(rig.engine.openConnections <= 101)
            for client in clients { client.close() }
            client.close()
            try waitUntil("all are gone") { rig.engine.openConnections == 0 && rig.listener.undecidedCount == 0 }
            try rig.expectRoutesAddUp()
        }
    }

    @Test func `at the limit no client is reset whose bytes are there`() async throws {
        var settings = ListenerSettings()
        settings.maxUndecided = 2
        try await withShared(settings: settings) { rig in
            // All of them are accepted before the loop looks at the bytes of one.
            let clients = try rig.engine.whileHeld {
                try (0..<40).map { _ in
                    let client = try rig.connect()
                    try client.send("a")
                    return client
                }
            }
            for client in clients { #expect(client.receive(2).text == "Aa") }
            #expect(rig.told.seen.failed.isEmpty)
            try rig.expectUndecided(0, accepted: 40)
        }
    }

    @Test func `a route's limit and hooks begin with the choice`() async throws {
        var settings = TCPSettings()
        settings.maxConnections = 1
        try await withShared(routeSettings: settings) { rig in
            let undecided = try (0..<3).map { _ in try rig.connect() }
            try rig.expectUndecided(3, accepted: 3)
            #expect(rig.routes.allSatisfy { $0.openCount == 0 })
            try undecided[0].send("a")
            #expect(undecided[0].receive(2).text == "Aa")
            try undecided[1].send("a")
            #expect(undecided[1].receive().ending == .reset)
            try rig.recorders[0].expect(.rejected(.routeLimit))
            try undecided[2].send("b")
            #expect(undecided[2].receive(2).text == "Bb")
            try rig.expectRoutesAddUp()
        }
    }

    @Test func `the listener's own hook is asked before any byte is looked at`() async throws {
        let isOpen = Box(false)
        let hooks = ListenerHooks(admit: { _ in isOpen.value ? .accept : .reject(.acl) })
        try await withShared(hooks: hooks) { rig in
            // The reset may be quicker than connect(2), which then tells of it.
            if let denied = try? rig.connect() { #expect(denied.receive().ending == .reset) }
            try rig.told.expect(.acl)
            #expect(rig.matcher.looks.value == 0)
            isOpen.set(true)
            let client = try rig.connect()
            try client.send("a")
            #expect(client.receive(2).text == "Aa")
        }
    }

    @Test(arguments: [EndlessAnswers(), EndlessAnswers(consuming: 2), EndlessAnswers(consuming: 0)])
    fileprivate func `answers are bounded, and so are the bytes that they consume`(matcher: EndlessAnswers) async throws
    {
        try await withShared(other: matcher) { rig in
            let client = try rig.connect()
            for index in 0..<FirstBytesAnswer.maxCount where matcher.consuming == 1 {
                try client.send("x")
                #expect(client.receive(1).text == "\(index)")
            }
            try client.send("x")
            #expect(client.receive().ending == .reset)
            try rig.told.expect(.error)
            try rig.expectUndecided(0, accepted: 1)
        }
    }

    // MARK: PROXY headers

    @Test func `a PROXY header comes first, and the route sees the client that it names`() async throws {
        var settings = ListenerSettings()
        settings.proxyProtocol.mode = .required
        let hooks = ListenerHooks(isTrustedProxy: { $0.isLoopback })
        try await withShared(settings: settings, hooks: hooks) { rig in
            let client = try rig.connect()
            for byte in "PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n".utf8 { try client.send([byte]) }
            try rig.expectUndecided(1, accepted: 1)
            try client.send("b!")
            #expect(client.receive(3).text == "Bb!")
            #expect(rig.recorders[1].seen.clients.map(\.description) == ["192.0.2.1:1000"])
            #expect(rig.told.seen.headersRead == 1)
            let whole = try rig.connect()
            try whole.send("PROXY TCP4 192.0.2.7 198.51.100.2 1000 443\r\nz")
            #expect(whole.receive().ending == .reset)
            try rig.told.expect(.noMatch)
            #expect(rig.told.seen.clients.map(\.description) == ["192.0.2.7:1000"])
            let wrong = try rig.connect()
            try wrong.send("bbbbbb")
            #expect(wrong.receive().ending == .reset)
            try rig.told.expect(.proxyProtocol)
            #expect(rig.told.seen.headersFailed == [.missing])
            // Only looked whether the port is open.
            try rig.connect().close()
            try rig.connect().reset()
            try rig.told.expect(.closed, times: 2)
            #expect(rig.told.seen.headersFailed == [.missing])
        }
    }

    // MARK: Ending

    @Test func `a close lets undecided clients choose until its drain time ends, and ends only its own clients`()
        async throws
    {
        try await withShared(engine: EngineSetup(workers: 2, clock: TestClock())) { rig in
            let others = try SharedListener("tcp://127.0.0.1:0", engine: rig.engine)
            try wait { try await others.serve(.route(rig.routes[0])) }
            let elsewhere = try Client(to: Endpoint(others.localAddress.port))
            try elsewhere.send("?")
            #expect(elsewhere.receive(2).text == "A?")
            let early = try rig.connect()
            let late = try rig.connect()
            try rig.expectUndecided(2, accepted: 2)
            try wait { await rig.listener.close(drainTimeout: .seconds(3)) }
            #expect(throws: SystemFailure.self) { try rig.connect() }
            try early.send("a")
            #expect(early.receive(2).text == "Aa")
            rig.advance(by: .seconds(4))
            #expect(late.receive().ending == .reset)
            #expect(early.receive().ending == .reset)
            try wait { await rig.listener.waitUntilClosed() }
            #expect(rig.told.seen.failed == [.drained])
            #expect(rig.recorders[0].count(.closed(.drained)) == 1)
            // The route serves on by its other listener.
            try elsewhere.send("!")
            #expect(elsewhere.receive(1).text == "!")
            try wait {
                await others.kill()
                await others.waitUntilClosed()
            }
            #expect(elsewhere.receive().ending == .reset)
            try rig.expectRoutesAddUp()
        }
    }

    @Test func `a client that chooses a route which has ended is reset`() async throws {
        try await withShared { rig in
            let open = try rig.connect()
            try open.send("a")
            #expect(open.receive(2).text == "Aa")
            let undecided = try rig.connect()
            try rig.expectUndecided(1, accepted: 2)
            try wait { await rig.routes[0].close() }
            try undecided.send("a")
            #expect(undecided.receive().ending == .reset)
            try rig.told.expect(.drained)
            // Its open connection drains, and the other route goes on.
            try open.send("?")
            #expect(open.receive(1).text == "?")
            let other = try rig.connect()
            try other.send("b")
            #expect(other.receive(2).text == "Bb")
        }
    }

    @Test func `an update applies to new clients, and undecided ones keep their table`() async throws {
        try await withShared { rig in
            let undecided = try rig.connect()
            try rig.expectUndecided(1, accepted: 1)
            try wait {
                try await rig.listener.update(.route(rig.routes[1]), settings: ListenerSettings(), hooks: rig.hooks)
            }
            let direct = try rig.connect()
            // Nothing is looked at: the server speaks first.
            #expect(direct.receive(1).text == "B")
            try undecided.send("a")
            #expect(undecided.receive(2).text == "Aa")
            try wait { try await rig.listener.update(rig.table, settings: ListenerSettings(), hooks: rig.hooks) }
            let again = try rig.connect()
            try again.send("a")
            #expect(again.receive(2).text == "Aa")
            try rig.expectUndecided(0, accepted: 3)
        }
    }

    @Test func `a route that would dial the listener is refused`() async throws {
        try await withShared { rig in
            let looping = try TCPStream(
                name: "loop", listen: [], upstreams: [Upstream("127.0.0.1:\(rig.endpoint.port)")],
                settings: TCPSettings(), engine: rig.engine)
            #expect(throws: StreamError.self) {
                try wait { try await rig.listener.update(.route(looping), settings: ListenerSettings()) }
            }
            let client = try rig.connect()
            try client.send("a")
            #expect(client.receive(2).text == "Aa")
        }
    }

    @Test(arguments: Array(0..<8), [true, false])
    func `a close or kill during the start leaves nothing behind`(rounds: Int, isKill: Bool) async throws {
        let engine = try EngineSetup(workers: 2).makeEngine()
        let limit = engine.connectionLimit
        let port = try Ports.free()
        let route = try TCPStream(
            name: "route", listen: [], upstreams: [Upstream("127.0.0.1:1")], settings: TCPSettings(), engine: engine)
        try await route.listenAndServe()
        let listener = try SharedListener("tcp://127.0.0.1:\(port)", engine: engine)
        let gate = WorkerGate(engine.workers[1])
        try await offPool { try gate.hold() }
        async let start = Self.serve(listener, route)
        try await offPool { for _ in 0..<rounds { try gate.letRound() } }
        async let end: Void = isKill ? listener.kill() : listener.close(drainTimeout: .zero)
        try await offPool { gate.open() }
        await end
        let error = await start
        #expect(error == nil || error == .closed)
        await listener.waitUntilClosed()
        #expect(!engine.wouldLoop(.tcp, SocketAddress(.loopbackIPv4, port: port)))
        #expect(engine.connectionLimit == limit)
        #expect(try OpenSockets.listening(on: [port]) == 0)
        await #expect(throws: StreamError.self) { try await listener.serve(.route(route)) }
        await route.kill()
        await route.waitUntilClosed()
        await engine.shutdown()
    }

    private static func serve(_ listener: SharedListener, _ route: TCPStream) async -> StreamError? {
        do throws(StreamError) {
            try await listener.serve(.route(route))
            return nil
        } catch {
            return error
        }
    }
}

extension SharedRig {
    func expect(_ recorder: Recorder, opened count: Int) throws {
        try waitUntil("\(count) are opened") { recorder.count(.opened) == count }
    }
}
