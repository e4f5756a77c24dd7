import Glibc
import NetworkTypes
import TestSupport
import Testing

@testable import LinuxIO
@testable import WeirStream

/// The memory of an idle connection, part by part: at most 512 bytes are promised, with the tables of the loop and the
/// rounding of malloc(3).
@Suite(.timeLimit(.minutes(1))) struct ConnectionMemoryTests {
    @Test func `a connection and its context take two chunks of 256 and 144 bytes`() async throws {
        let server = try TCPServer.echo()
        let contextSize = Box(Int.max)
        let hooks = StreamHooks(onRead: { event in
            contextSize.set(min(contextSize.value, heapSize(of: event.context)))
            return .forward
        })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let clients = try (0..<8).map { _ in try rig.connectThrough() }
            // Each chunk has eight bytes of the allocator's own.
            #expect((1...136).contains(contextSize.value))
            #expect((1...248).contains(try rig.connectionSize()))
            clients.forEach { $0.close() }
        }
    }

    @Test func `an idle connection has one timer, and one that ended has none`() async throws {
        let server = try TCPServer.echo()
        let settings = TCPSettings(idleTimeout: .seconds(60), keepalive: Keepalive())
        try await withTCP(
            "\(server.endpoint)", settings: settings, engine: EngineSetup(clock: TestClock())
        ) { rig in
            let before = try rig.armedTimerCount()
            let client = try rig.connectThrough()
            #expect(try rig.armedTimerCount() == before + 1)
            client.close()
            try rig.recorder.expect(.closed(.clientEOF))
            #expect(try rig.armedTimerCount() == before)
        }
    }

    @Test(arguments: [nil, Duration.seconds(60), .seconds(5)])
    func `the upstream's side is asked to answer probes once a connection is old enough`(idle: Duration?) async throws {
        let server = try TCPServer.echo()
        let settings = TCPSettings(idleTimeout: idle, keepalive: Keepalive(idle: .seconds(9), interval: .seconds(9)))
        try await withTCP(
            "\(server.endpoint)", settings: settings, engine: EngineSetup(clock: TestClock())
        ) { rig in
            let client = try rig.connectThrough()
            func probe() throws -> Duration? {
                SocketTable(.tcp).rows.first { $0.remotePort == server.endpoint.port }?.keepalive
            }
            // Traffic only moves the end of the silence.
            for _ in 0..<2 {
                rig.advance(by: .seconds(2))
                try client.send("?")
                #expect(client.receive(1).text == "?")
                #expect(try probe() == nil)
            }
            rig.advance(by: .seconds(1))
            try waitUntil("the kernel probes the upstream") {
                rig.turn()
                return try probe() != nil
            }
            if idle == .seconds(60) {
                rig.advance(by: .seconds(58))
                rig.turn()
                #expect(rig.stream.openCount == 1)
                rig.advance(by: .seconds(3))
                try rig.recorder.expect(.closed(.idleTimeout))
            }
        }
    }
}

/// The size of a class's instances. The standard library has it, and its module does not show it.
@_silgen_name("$ss36_class_getInstancePositiveExtentSizeySiyXlXpF")
private func instanceSize(_ class: AnyClass) -> Int

/// The bytes that malloc(3) gives for an object of this class: chunks are multiples of 16 bytes, of which eight are the
/// allocator's own. An object may have 16 bytes more, where the rest of a freed chunk is too small to be one.
private func heapSize(of object: AnyObject) -> Int {
    let size = instanceSize(type(of: object))
    return (size + 8 + 15) / 16 * 16 - 8
}

extension Rig {
    /// How many timers the first worker's loop has.
    fileprivate func armedTimerCount() throws -> Int {
        try WeirStreamTests.wait { await engine.workers[0].armedTimerCount }
    }

    /// The size of the smallest connection of the first worker.
    fileprivate func connectionSize() throws -> Int {
        try WeirStreamTests.wait { await engine.workers[0].connectionSize }
    }
}

extension Worker {
    fileprivate var armedTimerCount: Int { core.loop.armedTimerCount }

    fileprivate var connectionSize: Int {
        let owners = (0..<64).map { core.loop.handler(of: EventToken(slot: $0, generation: 0)) }
        return owners.compactMap { $0 as? TCPConnection }.map(heapSize).min() ?? 0
    }
}
