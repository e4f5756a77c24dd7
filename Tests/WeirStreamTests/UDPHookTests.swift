import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPHookTests {
    @Test func `a source that is not admitted gets no answer, and its datagrams are counted`() async throws {
        let server = try UDPServer.echo()
        for (reason, drop) in [
            (RejectReason.rateLimit, DropReason.rateLimit), (.perIPLimit, .sessionLimit), (.hook, .error),
        ] {
            try await withUDP("\(server.endpoint)", hooks: StreamHooks(admit: { _ in .reject(reason) })) { rig in
                let client = try UDPSocket()
                for _ in 0..<3 { try client.send([1], to: rig.endpoint) }
                try rig.recorder.expect(.rejected(reason), times: 3)
                #expect(rig.recorder.dropped(.ingress, drop) == 3)
                #expect(rig.recorder.count(.opened) == 3)
                #expect(!client.isReadable())
                #expect(rig.stream.openCount == 0)
            }
        }
        #expect(server.received == 0)
    }

    @Test func `datagrams that come while the hook runs are delivered behind it, in order`() async throws {
        let got = Box<[UInt8]>([])
        let server = try UDPServer { datagram in
            got.update { $0.append(datagram.bytes.first ?? 0) }
            return []
        }
        let isOpen = Box(false)
        let hooks = StreamHooks(preDial: { _ in
            try await offPool { try waitUntil("the hook may end") { isOpen.value } }
            return .dialUpstream(1)
        })
        try await withUDP("127.0.0.1:1", "\(server.endpoint)", hooks: hooks) { rig in
            let client = try UDPSocket()
            for number in 0..<20 { try client.send([UInt8(number)], to: rig.endpoint) }
            try rig.recorder.expect(.opened)
            try rig.whileHeld {}
            #expect(rig.recorder.forwarded(.ingress) == 0)
            isOpen.set(true)
            try waitUntil("all arrive") { got.value.count == 20 }
            #expect(got.value == Array(0..<20))
            #expect(rig.recorder.count(.dialled(upstream: 1)) == 1)
            #expect(rig.recorder.count(.preDialFinished) == 1)
        }
    }

    @Test func `a hook that hangs is given up on, and what waited is dropped`() async throws {
        let hooks = StreamHooks(preDial: { _ in
            // Ends when it is cancelled.
            for await _ in AsyncStream<Void>.makeStream().stream {}
            throw CancellationError()
        })
        try await withUDP("127.0.0.1:1", engine: EngineSetup(clock: TestClock()), hooks: hooks) { rig in
            let client = try UDPSocket()
            for _ in 0..<3 { try client.send([1], to: rig.endpoint) }
            try rig.recorder.expect(.opened)
            try rig.whileHeld {}
            rig.advance(by: .seconds(6))
            try rig.recorder.expect(.rejected(.hook))
            #expect(rig.recorder.count(.timedOut(.preDial)) == 1)
            #expect(rig.recorder.dropped(.ingress, .error) >= 1)
        }
    }

    @Test func `close ends the session, and what was read counts as discarded`() async throws {
        let server = try UDPServer.echo()
        let hooks = StreamHooks(onRead: { event in event.byteCount == 5 ? .close : .forward })
        try await withUDP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            #expect(try client.receive().bytes == [1])
            try client.send([1, 2, 3, 4, 5], to: rig.endpoint)
            try rig.recorder.expect(.sessionClosed(.hook))
            #expect(rig.recorder.count(.discarded(.ingress, 5)) == 1)
            #expect(rig.recorder.forwarded(.ingress) == 1)
        }
    }

    @Test func `a pause drops what comes meanwhile, and counts it`() async throws {
        let server = try UDPServer.echo()
        let hooks = StreamHooks(onRead: { event in event.direction == .ingress ? .pause(.seconds(10)) : .forward })
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock()), hooks: hooks) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            #expect(try client.receive().bytes == [1])
            try client.send([2], to: rig.endpoint)
            try rig.recorder.expect(.dropped(.ingress, .bandwidth, 1))
            rig.advance(by: .seconds(11))
            try rig.whileHeld {}
            try client.send([3], to: rig.endpoint)
            #expect(try client.receive().bytes == [3])
            #expect(rig.recorder.count(.paused(.ingress, .throttle)) == 2)
        }
    }
}
