import Foundation
import TestSupport
import Testing

@testable import WeirStream

/// Hooks that never come back.
@Suite(.timeLimit(.minutes(1))) struct HangingHookTests {
    /// A pre-dial hook that waits for this and for nothing else: it does not hear that it was canceled.
    private actor Deaf {
        private var waiting: [CheckedContinuation<Void, Never>] = []
        private var isOpen = false
        private(set) var entered = 0

        func pass() async {
            entered += 1
            if isOpen { return }
            await withCheckedContinuation { waiting.append($0) }
        }

        func open() {
            isOpen = true
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
    }

    @Test func `a pre-dial hook that never returns costs its clients their time, and no more hooks than are allowed`()
        async throws
    {
        let server = try TCPServer.echo()
        let (deaf, isHanging) = (Deaf(), Box(true))
        let hooks = StreamHooks(preDial: { _ in
            if isHanging.value { await deaf.pass() }
            return .dial
        })
        let (limit, more) = (WorkerCore.maxPreDials, 20)
        let setup = EngineSetup(clock: TestClock())
        try await withTCP("\(server.endpoint)", engine: setup, hooks: hooks) { rig in
            let clients = try (0..<limit).map { _ in try rig.connect() }
            try waitUntil("every hook runs") { try wait { await deaf.entered } == limit }
            // Further clients are rejected at once, without a hook.
            for _ in 0..<more { #expect(try rig.connect().receive().ending == .reset) }
            try rig.recorder.expect(.rejected(.hook), times: more)
            rig.advance(by: .seconds(6))
            try rig.recorder.expect(.rejected(.hook), times: limit + more)
            #expect(rig.recorder.count(.timedOut(.preDial)) == limit)
            #expect(rig.recorder.count(.preDialFinished) == limit)
            for client in clients { #expect(client.receive().ending == .reset) }
            #expect(rig.stream.openCount == 0)
            // The hooks were canceled and still run: the limit counts them.
            #expect(try rig.connect().receive().ending == .reset)
            #expect(try wait { await deaf.entered } == limit)

            isHanging.set(false)
            try wait { await deaf.open() }
            try waitUntil("the hooks have ended, and clients are served") {
                let client = try rig.connect()
                // May be rejected still.
                try? client.send("?")
                return client.receive(1).text == "?"
            }
            #expect(rig.recorder.count(.timedOut(.preDial)) == limit)
            #expect(rig.recorder.count(.opened) == rig.recorder.count(.rejected(.hook)) + 1)
        }
    }

    @Test func `connections without the hook are served while other streams' hooks hang`() async throws {
        let server = try TCPServer.echo()
        let deaf = Deaf()
        let hooks = StreamHooks(preDial: { _ in
            await deaf.pass()
            return .dial
        })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let waiting = try (0..<50).map { _ in try rig.connect() }
            try waitUntil("every hook runs") { try wait { await deaf.entered } == 50 }
            let other = try TCPStream(
                listen: "tcp://127.0.0.1:0", upstream: "\(server.endpoint)", engine: rig.engine)
            try wait { try await other.listenAndServe() }
            let port = other.localAddress.port
            for _ in 0..<50 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
            try wait { await other.kill() }
            try wait { await deaf.open() }
            for client in waiting {
                try client.send("!")
                #expect(client.receive(1).text == "!")
            }
        }
    }

    /// The connections to 127.0.0.1 that no process has accepted yet: the receive queue of a listening socket.
    private static func unaccepted(on port: UInt16) -> Int {
        contents(of: "/proc/net/tcp").split(separator: "\n").dropFirst()
            .reduce(0) { sum, line in
                let fields = line.split(separator: " ", omittingEmptySubsequences: true)
                guard fields.count > 9, fields[3] == "0A", fields[1] == "0100007F:" + String(format: "%04X", port),
                    let queue = fields[4].split(separator: ":").last.flatMap({ Int($0, radix: 16) })
                else { return sum }
                return sum + queue
            }
    }

    @Test func `a synchronous hook that never returns stalls one worker, which is named; the others go on`()
        async throws
    {
        let server = try TCPServer.echo()
        let (stalled, go) = (Box<Int?>(nil), TestSemaphore())
        let mayStall = Box(false)
        let hooks = StreamHooks(admit: { context in
            guard mayStall.value else { return .accept }
            let isFirst = stalled.update { worker in
                defer { worker = worker ?? context.worker }
                return worker == nil
            }
            if isFirst { go.wait() }
            return .accept
        })
        let setup = EngineSetup(workers: 2, clock: TestClock())
        try await withTCP("\(server.endpoint)", engine: setup, hooks: hooks) { rig in
            let isOver = Box(false)
            defer { if !isOver.value { go.signal() } }
            let early = try (0..<20).map { _ in try rig.connectThrough() }
            let carried = rig.recorder.seen.workers
            #expect(carried.count == 2)
            #expect(rig.engine.stalledWorker(after: .seconds(5)) == nil)

            mayStall.set(true)
            let victim = try rig.connect()
            try waitUntil("the hook blocks") { stalled.value != nil }
            let blocked = try #require(stalled.value)
            rig.advance(by: .seconds(6))
            try waitUntil("only the blocked worker has not turned") {
                rig.turn()
                return rig.engine.stalledWorker(after: .seconds(5)) == blocked
                    && rig.engine.workers.count { $0.index != blocked } == 1
            }

            // Connections of the other worker go on.
            for client in early { try client.send("!") }
            let alive = carried[1 - blocked] ?? 0
            try waitUntil("its connections were answered") { early.count { $0.isReadable() } == alive }

            // Clients that the other worker accepts are served by it.
            let clients = try (0..<20).map { _ in try rig.connect() }
            for client in clients { try client.send("?") }
            let port = rig.stream.localAddress.port
            try waitUntil("everybody is served who does not wait at the blocked worker's socket") {
                rig.turn()
                return clients.count { $0.isReadable() } + Self.unaccepted(on: port) == clients.count
            }

            isOver.set(true)
            go.signal()
            try victim.send("?")
            for client in clients + [victim] { #expect(client.receive(1).text == "?") }
            for client in early { #expect(client.receive(1).text == "!") }
            try waitUntil("no worker is stalled") {
                rig.turn()
                return rig.engine.stalledWorker(after: .seconds(5)) == nil
            }
        }
    }
}
