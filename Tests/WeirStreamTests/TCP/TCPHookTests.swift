import LinuxIO
import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct TCPHookTests {
    @Test func `a client that is not admitted is reset before anything is dialed`() async throws {
        let server = try TCPServer.echo()
        let seen = Box<[String]>([])
        let hooks = StreamHooks(admit: { context in
            seen.update { $0.append("\(context.route) \(context.transport) \(context.clientAddress.ip)") }
            return .reject(.acl)
        })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            #expect(try rig.connect().receive().ending == .reset)
            try rig.recorder.expect(.rejected(.acl))
            #expect(rig.recorder.events == [.opened, .rejected(.acl)])
            #expect(seen.value == ["test tcp 127.0.0.1"])
            #expect(server.accepted == 0)
            #expect(rig.stream.openCount == 0)
        }
    }

    @Test func `every reason that a hook can give is told as it was given`() async throws {
        let next = Box(RejectReason.acl)
        let hooks = StreamHooks(admit: { _ in .reject(next.value) })
        try await withTCP("127.0.0.1:1", hooks: hooks) { rig in
            let reasons = RejectReason.allCases.filter { $0.occurrence.isConceivable(on: .tcp) }
            for reason in reasons {
                next.set(reason)
                // The reset may be quicker than connect(2), which then tells of it.
                if let client = try? rig.connect() { #expect(client.receive().ending == .reset) }
                try rig.recorder.expect(.rejected(reason))
            }
            #expect(rig.recorder.count(.opened) == reasons.count)
        }
    }

    @Test func `what admit attaches is there for every later hook`() async throws {
        let server = try TCPServer.echo()
        let found = Box<[String]>([])
        let hooks = StreamHooks(
            admit: { context in
                context.attach(Box("mine"))
                return .accept
            },
            preDial: { context in
                let state = context.attachment as? Box<String>
                found.update { $0.append("preDial \(state?.value ?? "nothing")") }
                return .dial
            },
            onRead: { event in
                let state = event.context.attachment as? Box<String>
                found.update { $0.append("onRead \(state?.value ?? "nothing")") }
                return .forward
            })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            _ = try rig.connectThrough()
            #expect(found.value == ["preDial mine", "onRead mine", "onRead mine"])
        }
    }

    @Test func `onRead sees every byte once, with its direction`() async throws {
        let server = try TCPServer { connection in
            _ = connection.receive(200_000)
            try connection.send(Pattern.bytes(300_000))
        }
        let bytes = Box<[Direction: Int]>([:])
        let hooks = StreamHooks(onRead: { event in
            bytes.update { $0[event.direction, default: 0] += event.byteCount }
            return event.readCount == 1 ? .forward : .close
        })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            try client.send(Pattern.bytes(200_000))
            #expect(client.receive().bytes.count == 300_000)
            #expect(bytes.value == [.ingress: 200_000, .egress: 300_000])
        }
    }

    @Test func `no read is larger than a limiting hook asked for`() async throws {
        let server = try TCPServer.echo()
        let largest = Box(0)
        let hooks = StreamHooks(
            onRead: { event in
                largest.update { $0 = max($0, event.byteCount) }
                return .forward
            }, maxReadByteCount: 1000)
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            let bytes = Pattern.bytes(50_000)
            try inBackground { try client.send(bytes) }
            expectSame(client.receive(50_000).bytes, bytes)
            #expect(largest.value <= 1000)
            #expect(largest.value > 500)
        }
    }

    @Test func `close discards what was just read, counts it and resets both sides`() async throws {
        let got = Box<TestConnection.Received?>(nil)
        let server = try TCPServer { connection in got.set(connection.receive()) }
        let hooks = StreamHooks(onRead: { event in event.byteCount == 9 ? .close : .forward })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            try client.send("good")
            try waitUntil("the first bytes were read") { server.accepted == 1 }
            try rig.recorder.expect(.dialed(upstream: 0))
            rig.finishTurns()
            try client.send("forbidden")
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.closed(.hook))
            #expect(rig.recorder.events.suffix(2) == [.discarded(.ingress, 9), .closed(.hook)])
            #expect(rig.recorder.totals.map(\.ingressBytes) == [13])
            try waitUntil("the upstream sees the end") { got.value != nil }
            #expect(got.value?.ending == .reset)
            #expect(got.value?.text.contains("forbidden") == false)
        }
    }

    @Test func `a pause holds back its direction for as long as it says, and the other one flows`() async throws {
        let server = try TCPServer.echo()
        let hooks = StreamHooks(onRead: { event in event.direction == .ingress ? .pause(.seconds(10)) : .forward })
        try await withTCP("\(server.endpoint)", engine: EngineSetup(clock: TestClock()), hooks: hooks) { rig in
            let client = try rig.connect()
            try client.send("1")
            // What was read goes on its way; then the direction rests.
            #expect(client.receive(1).text == "1")
            #expect(rig.recorder.count(.paused(.ingress, .throttle)) == 1)
            try client.send("2")
            rig.advance(by: .seconds(9))
            rig.finishTurns()
            #expect(client.isReadable() == false)
            rig.advance(by: .seconds(2))
            #expect(client.receive(1).text == "2")
            #expect(rig.recorder.count(.paused(.ingress, .throttle)) == 2)
        }
    }
}
