import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct PreDialTests {
    private struct Refusal: Error {}

    /// A hook that waits until it is let go or canceled, and says which.
    private final class Gate: Sendable {
        let entered = Box(0)
        let canceled = Box(0)
        private let waiting = Box<[AsyncStream<Void>.Continuation]>([])

        func pass() async throws {
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            waiting.update { $0.append(continuation) }
            entered.add(1)
            for await _ in stream { return }
            canceled.add(1)
            throw CancellationError()
        }

        func open() {
            for continuation in waiting.value { continuation.yield() }
        }
    }

    @Test func `the hook chooses among the upstreams`() async throws {
        let servers = try (0..<3).map { number in try TCPServer { try $0.send("\(number)") } }
        let choice = Box(0)
        let hooks = StreamHooks(preDial: { context in
            choice.value < context.upstreams.count ? .dialUpstream(choice.value) : .dial
        })
        try await withTCP(
            "\(servers[0].endpoint)", "\(servers[1].endpoint)", "\(servers[2].endpoint)", hooks: hooks
        ) { rig in
            for (wanted, answer) in [(2, "2"), (1, "1"), (0, "0"), (9, "0")] {
                choice.set(wanted)
                #expect(try rig.connect().receive().text == answer)
            }
            try rig.recorder.expect(.closed(.upstreamEOF), times: 4)
            #expect(rig.recorder.totals.map(\.upstream) == [2, 1, 0, 0])
            #expect(rig.recorder.count(.preDialFinished) == 4)
        }
    }

    @Test func `an upstream that the route does not have is a rejection, not a crash`() async throws {
        for index in [1, -1, Int.max] {
            let hooks = StreamHooks(preDial: { _ in .dialUpstream(index) })
            try await withTCP("127.0.0.1:1", hooks: hooks) { rig in
                #expect(try rig.connect().receive().ending == .reset)
                try rig.recorder.expect(.rejected(.noUpstream))
                #expect(rig.recorder.events == [.opened, .preDialFinished, .rejected(.noUpstream)])
            }
        }
    }

    @Test func `a hook that refuses or throws rejects the connection`() async throws {
        for (hook, reason) in [
            (StreamHooks(preDial: { _ in .reject(.acl) }), RejectReason.acl),
            (StreamHooks(preDial: { _ in throw Refusal() }), .hook),
        ] {
            try await withTCP("127.0.0.1:1", hooks: hook) { rig in
                #expect(try rig.connect().receive().ending == .reset)
                try rig.recorder.expect(.rejected(reason))
                #expect(rig.recorder.events == [.opened, .preDialFinished, .rejected(reason)])
                #expect(rig.stream.openCount == 0)
            }
        }
    }

    @Test func `a hook that hangs is canceled when its time is over`() async throws {
        let gate = Gate()
        let hooks = StreamHooks(preDial: { _ in
            try await gate.pass()
            return .dial
        })
        try await withTCP("127.0.0.1:1", engine: EngineSetup(clock: TestClock()), hooks: hooks) { rig in
            let client = try rig.connect()
            try waitUntil("the hook runs") { gate.entered.value == 1 }
            rig.advance(by: .milliseconds(4_900))
            rig.finishTurns()
            #expect(rig.recorder.events == [.opened])
            rig.advance(by: .milliseconds(200))
            try rig.recorder.expect(.rejected(.hook))
            #expect(
                rig.recorder.events == [.opened, .timedOut(.preDial), .preDialFinished, .rejected(.hook)])
            try waitUntil("the hook was canceled") { gate.canceled.value == 1 }
            #expect(client.receive().ending == .reset)
        }
    }

    @Test func `a client that resets cancels its hook`() async throws {
        let gate = Gate()
        let hooks = StreamHooks(preDial: { _ in
            try await gate.pass()
            return .dial
        })
        try await withTCP("127.0.0.1:1", hooks: hooks) { rig in
            let client = try rig.connect()
            try waitUntil("the hook runs") { gate.entered.value == 1 }
            try client.reset()
            try rig.recorder.expect(.closed(.clientReset))
            try waitUntil("the hook was canceled") { gate.canceled.value == 1 }
            #expect(rig.recorder.events == [.opened, .preDialFinished, .closed(.clientReset)])
        }
    }

    @Test func `what a client sends while the hook runs is delivered behind it`() async throws {
        let server = try TCPServer.echo()
        let gate = Gate()
        let hooks = StreamHooks(preDial: { _ in
            try await gate.pass()
            return .dial
        })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            try client.sendWithEnd(Array("early".utf8))
            try waitUntil("the hook runs") { gate.entered.value == 1 }
            gate.open()
            #expect(client.receive().isWhole(Array("early".utf8)))
        }
    }

    @Test func `a hook may keep its snapshot and read it on any thread, while the connection goes on and ends`()
        async throws
    {
        final class Tag: Sendable {}
        let server = try TCPServer.echo()
        let (read, isOver) = (Box(0), Box(false))
        let hooks = StreamHooks(
            admit: { context in
                context.attach(Tag())
                return .accept
            },
            preDial: { request in
                Task {
                    while !isOver.value {
                        let isSame =
                            request.upstreams.count == 1 && request.clientAddress.ip == .loopbackIPv4
                            && request.peerAddress == request.clientAddress && request.transport == .tcp
                            && request.route == "test" && request.attachment is Tag && request.id != 0
                        if isSame { read.add(1) }
                        await Task.yield()
                    }
                }
                return .dial
            })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            defer { isOver.set(true) }
            for _ in 0..<50 { try rig.connectThrough().close() }
            try rig.recorder.expect(.closed(.clientEOF), times: 50)
            let before = read.value
            try waitUntil("the snapshots are read behind the end, too") { read.value > before + 50 }
        }
    }

    @Test func `killing a stream ends connections whose hook runs`() async throws {
        let gate = Gate()
        let hooks = StreamHooks(preDial: { _ in
            try await gate.pass()
            return .dial
        })
        try await withTCP("127.0.0.1:1", hooks: hooks) { rig in
            let client = try rig.connect()
            try waitUntil("the hook runs") { gate.entered.value == 1 }
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(rig.recorder.events == [.opened, .preDialFinished, .closed(.killed)])
            #expect(client.receive().ending == .reset)
            try waitUntil("the hook was canceled") { gate.canceled.value == 1 }
        }
    }
}
