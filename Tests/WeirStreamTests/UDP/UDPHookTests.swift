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
            rig.finishTurns()
            #expect(rig.recorder.forwarded(.ingress) == 0)
            isOpen.set(true)
            try waitUntil("all arrive") { got.value.count == 20 }
            #expect(got.value == Array(0..<20))
            #expect(rig.recorder.count(.dialed(upstream: 1)) == 1)
            #expect(rig.recorder.count(.preDialFinished) == 1)
        }
    }

    @Test func `a hook that hangs is given up on, and what waited is dropped`() async throws {
        let hooks = StreamHooks(preDial: { _ in
            // Ends when it is canceled.
            for await _ in AsyncStream<Void>.makeStream().stream {}
            throw CancellationError()
        })
        try await withUDP("127.0.0.1:1", engine: EngineSetup(clock: TestClock()), hooks: hooks) { rig in
            let client = try UDPSocket()
            for _ in 0..<3 { try client.send([1], to: rig.endpoint) }
            try rig.recorder.expect(.opened)
            rig.finishTurns()
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
            rig.finishTurns()
            try client.send([3], to: rig.endpoint)
            #expect(try client.receive().bytes == [3])
            #expect(rig.recorder.count(.paused(.ingress, .throttle)) == 2)
        }
    }

    @Test func `datagrams that may not pass are dropped one by one, and onRead sees the others`() async throws {
        let server = try UDPServer { [$0.bytes, [9, 9, 9]] }
        let read = Box(0)
        let hooks = StreamHooks(
            onRead: { event in
                read.update { $0 += event.readCount }
                return .forward
            },
            policeDatagram: { _, direction, byteCount in direction == .ingress ? byteCount != 2 : byteCount != 3 })
        try await withUDP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try UDPSocket()
            for datagram in [[1], [2, 2], [1, 1, 1, 1], [2, 2], []] as [[UInt8]] {
                try client.send(datagram, to: rig.endpoint)
            }
            for expected in [[1], [1, 1, 1, 1], []] as [[UInt8]] { #expect(try client.receive().bytes == expected) }
            try waitUntil("all are in the books") {
                rig.recorder.dropped(.ingress, .bandwidth) == 2 && rig.recorder.dropped(.egress, .bandwidth) == 3
                    && rig.recorder.forwarded(.ingress) == 3 && rig.recorder.forwarded(.egress) == 3
            }
            #expect(server.received == 3)
            #expect(read.value == 6)
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `datagrams that wait for a hook are policed when they come, once`() async throws {
        let server = try UDPServer.echo()
        let asked = Box(0)
        let go = Box(false)
        let hooks = StreamHooks(
            preDial: { _ in
                try await offPool { try waitUntil("it may go on") { go.value } }
                return .dial
            },
            policeDatagram: { _, direction, byteCount in
                if direction == .ingress { asked.update { $0 += 1 } }
                return byteCount == 1
            })
        try await withUDP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try UDPSocket()
            for datagram in [[1], [2, 2], [3]] as [[UInt8]] { try client.send(datagram, to: rig.endpoint) }
            try waitUntil("all have come") { asked.value == 3 }
            go.set(true)
            #expect(try client.receive().bytes == [1])
            #expect(try client.receive().bytes == [3])
            #expect(asked.value == 3)
            #expect(rig.recorder.dropped(.ingress, .bandwidth) == 1)
        }
    }
}
