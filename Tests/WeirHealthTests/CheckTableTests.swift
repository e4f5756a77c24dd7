import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirHealth

/// A session that changes nothing.
private final class OpenSession: SecureSession {
    let traits: ChannelTraits = []
    let hasPendingOutput = false

    func handshake(on socket: borrowing Socket) -> HandshakeStep { .done }

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        socket.receive(into: buffer)
    }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { socket.send(bytes) }
    func finishWriting(on socket: borrowing Socket) { try? socket.shutdownWriting() }
    func flush(to socket: borrowing Socket) -> SystemError? { nil }
}

@Suite("Checks of many targets, by a clock of the test", .timeLimit(.minutes(2))) struct CheckTableTests {
    private func listener() throws -> TCPServer { try TCPServer { _ in } }

    @Test("a dead member is down with its first result, and up after two successes a second apart")
    func lifeOfOne() throws {
        let rig = try TableRig()
        let port = try Ports.free()
        let start = rig.now
        rig.table.set([HealthSubscription(.local(port), token: 7)])
        try rig.check(count: 1)
        #expect(rig.now - start <= 1_020_000_000)
        #expect(rig.observer.changes == [.init(token: 7, isUp: false, cause: .failure(.refused))])

        let server = try TCPServer(port: port) { _ in }
        let beforeFirst = rig.now
        try rig.check(count: 2)
        let beforeSecond = rig.now
        #expect(beforeSecond - beforeFirst >= 4_600_000_000)
        #expect(rig.observer.changes.count == 1)
        try rig.check(count: 3)
        #expect((900_000_000...1_100_000_000).contains(rig.now - beforeSecond))
        #expect(rig.observer.changes.map(\.isUp) == [false, true])

        // Three failures take it down again, the first after the usual interval.
        server.stop()
        try waitUntil("the port is closed") { (try? TestConnection(to: Endpoint(port))) == nil }
        let beforeFall = rig.now
        try rig.check(count: 6)
        #expect(rig.observer.changes.map(\.isUp) == [false, true, false])
        #expect((6_400_000_000...7_200_000_000).contains(rig.now - beforeFall))
        #expect(rig.observer.results.suffix(3) == [.refused, .refused, .refused])
    }

    @Test("routes that have the same target share its check, and each is told; others have a check of their own")
    func sharing() throws {
        let rig = try TableRig()
        let server = try listener()
        let shared = HealthTarget.local(server.port)
        let other = HealthTarget.local(server.port, HealthCheck(.tcp), CheckSchedule(rise: 5))
        rig.table.set([
            HealthSubscription(shared, token: 1), HealthSubscription(shared, token: 2),
            HealthSubscription(other, token: 3),
        ])
        #expect(rig.table.counts.targets == 2)
        try rig.check(count: 3)
        #expect(rig.observer.checks.map(\.token).sorted() == [1, 2, 3])
        #expect(rig.observer.changes == [])
    }

    @Test("no more run than the bound allows, the others wait in their order, and each has its turn")
    func bound() throws {
        let rig = try TableRig(maxInFlight: 3)
        let silent = try UnansweringServer()
        // Twenty addresses of one silent server.
        let targets = (0..<20).map { number in
            HealthTarget(
                address: SocketAddress(IPAddress(v4: 0x7f00_0001), port: silent.port),
                check: HealthCheck(.tcp, port: silent.port), schedule: CheckSchedule(fall: number + 1))
        }
        rig.table.set(targets.enumerated().map { HealthSubscription($1, token: UInt64($0)) })
        rig.pass(milliseconds: 1_100)
        #expect(rig.table.counts == CheckCounts(targets: 20, inFlight: 3, waiting: 17))
        rig.pass(milliseconds: 20_000)
        #expect(rig.table.counts.inFlight == 3)
        let checked = Set(rig.observer.checks.map(\.token))
        #expect(checked.count == 20)
        #expect(rig.observer.results.allSatisfy { $0 == .timeout })
        // More room is used at once, and less room is kept to as checks end.
        rig.table.setMaxInFlight(20)
        rig.turn()
        #expect(rig.table.counts.inFlight + rig.table.counts.waiting <= 20)
        #expect(rig.table.counts.inFlight > 3)
        rig.table.setMaxInFlight(0)
        rig.pass(milliseconds: 6_000)
        #expect(rig.table.counts.inFlight <= 1)
    }

    @Test("a new list keeps the state of what stays, and forgets what goes, also while it is checked")
    func replacement() throws {
        let rig = try TableRig()
        let dead = HealthTarget.local(try Ports.free())
        let silent = try UnansweringServer()
        rig.table.set([HealthSubscription(dead, token: 1), HealthSubscription(.local(silent.port), token: 2)])
        rig.pass(milliseconds: 1_020)
        try rig.wait(for: "the dead one is down") { !rig.observer.changes.isEmpty }
        #expect(rig.table.counts.inFlight == 1)

        // The silent one goes in the middle of its check; a new subscription hears the state of the dead one at once.
        rig.table.set([HealthSubscription(dead, token: 1), HealthSubscription(dead, token: 3)])
        #expect(rig.table.counts == CheckCounts(targets: 1, inFlight: 0, waiting: 0))
        let expected = [1, 3].map { RecordingObserver.Change(token: $0, isUp: false, cause: .failure(.refused)) }
        #expect(rig.observer.changes == expected)
        rig.pass(milliseconds: 100)
        #expect(rig.observer.results(of: 2) == [])

        // Other times: the state stays, and one success does not change it.
        let server = try TCPServer(port: dead.address.port) { _ in }
        let slower = HealthTarget.local(dead.address.port, HealthCheck(.tcp), CheckSchedule(interval: .seconds(9)))
        rig.table.set([HealthSubscription(slower, token: 1)])
        let count = rig.observer.checks.count
        try rig.check(count: count + 1)
        #expect(rig.observer.results.last == .success)
        #expect(rig.observer.changes == expected)
        try rig.check(count: count + 2)
        #expect(rig.observer.changes.last == .init(token: 1, isUp: true, cause: rig.observer.checks.last?.outcome))
        withExtendedLifetime(server) {}

        rig.table.set([])
        #expect(rig.table.counts == CheckCounts(targets: 0, inFlight: 0, waiting: 0))
        rig.pass(milliseconds: 10_000)
        #expect(rig.observer.checks.count == count + 2)
    }

    @Test("a check that is encrypted from now on does not count as the one in clear: its first result decides")
    func otherEncryption() throws {
        let rig = try TableRig()
        var target = HealthTarget.local(try Ports.free())
        rig.table.set([HealthSubscription(target, token: 1)])
        try rig.check(count: 1)
        #expect(rig.observer.changes.map(\.isUp) == [false])
        let server = try TCPServer(port: target.address.port) { _ in }
        target.encryption = CheckEncryption(rig.observer, name: nil) { OpenSession() }
        rig.table.set([HealthSubscription(target, token: 1)])
        try rig.check(count: 2)
        #expect(rig.observer.changes.map(\.isUp) == [false, true])
        withExtendedLifetime(server) {}
    }

    @Test("another check of a member that is down goes on from there, and its first result decides")
    func otherCheck() throws {
        let rig = try TableRig()
        let server = try TCPServer { connection in
            _ = connection.receiveSome()
            try connection.send("-LOADING\r\n")
            _ = connection.receive()
        }
        rig.table.set([HealthSubscription(.local(server.port, HealthCheck(.redis)), token: 1)])
        try rig.check(count: 1)
        #expect(
            rig.observer.changes == [.init(token: 1, isUp: false, cause: .unexpected(.errorReply("LOADING")))])
        rig.table.set([HealthSubscription(.local(server.port), token: 1)])
        #expect(rig.observer.changes.count == 1)
        try rig.check(count: 2)
        #expect(rig.observer.changes.map(\.isUp) == [false, true])
        // A token that moves to a target that is up is told so.
        rig.table.set([
            HealthSubscription(.local(server.port), token: 1),
            HealthSubscription(.local(server.port, HealthCheck(.redis)), token: 2),
        ])
        try rig.wait(for: "nothing is under way") { rig.table.counts.inFlight == 0 }
        for _ in 0..<9 where rig.observer.changes.count < 3 { try rig.check(count: rig.observer.checks.count + 1) }
        #expect(rig.observer.changes.last?.token == 2)
        rig.table.set([HealthSubscription(.local(server.port), token: 2)])
        #expect(rig.observer.changes.last?.isUp == true)
        #expect(rig.observer.changes.last?.token == 2)
    }

    @Test("a check that this machine cannot make says nothing, and is tried again")
    func impossible() throws {
        let rig = try TableRig()
        let server = try listener()
        // An address that is none of this machine's (RFC 5737).
        var target = HealthTarget.local(server.port)
        target.source = SocketAddress(IPAddress(v4: 0xc000_0201), port: 0)
        rig.table.set([HealthSubscription(target, token: 1)])
        rig.pass(milliseconds: 1_020)
        #expect(rig.observer.errors.count == 1)
        #expect(rig.observer.errors.first?.operation == .bind)
        rig.pass(milliseconds: 5_000)
        #expect(rig.observer.errors.count == 2)
        #expect(rig.observer.checks.isEmpty && rig.observer.changes.isEmpty)
        #expect(rig.table.counts.inFlight == 0)
    }

    @Test("nothing runs after the end, and a list that comes later is ignored")
    func end() throws {
        let rig = try TableRig()
        let silent = try UnansweringServer()
        let subscription = HealthSubscription(.local(silent.port), token: 1)
        rig.table.set([subscription])
        rig.pass(milliseconds: 1_020)
        #expect(rig.table.counts.inFlight == 1)
        rig.table.close()
        #expect(rig.table.counts == CheckCounts(targets: 0, inFlight: 0, waiting: 0))
        rig.table.set([subscription])
        rig.pass(milliseconds: 5_000)
        #expect(rig.observer.checks.isEmpty)
        #expect(rig.table.counts.targets == 0)
    }
}
