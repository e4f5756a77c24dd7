import LinuxIO
import Logging
import NetworkTypes
import Testing
import WeirStream

@testable import WeirProxy

struct EventRecorderTests {
    private static let second: Int64 = 1_000_000_000
    private let route = LogRoute(name: "web", transport: "tcp", listen: "tcp4://:80", upstreams: ["one:1", "two:2"])

    private func failure(_ upstream: Int32, _ reason: DialFailure, at seconds: Int64, route: UInt32 = 1) -> LogRecord {
        LogRecord(
            time: seconds * Self.second, route: route, id: 7, client: SocketAddress(.loopbackIPv4, port: 4711),
            upstreamAddress: nil, fact: .dialFailed(upstream: upstream, reason, nil))
    }

    @Test("Failures of one kind are one event with their number, and the newest event is first")
    func repetition() throws {
        let events = EventRecorder()
        for time in 1...100 { events.note(failure(0, .refused, at: Int64(time)), of: route) }
        events.note(failure(1, .timeout, at: 50), of: route)
        let latest = events.latest(20)
        #expect(latest.map(\.text) == ["Dial failed: one:1", "Dial failed: two:2"])
        #expect(latest[0].count == 100 && latest[0].reason == "refused" && latest[0].route == "web")
        #expect(latest[0].first == Self.second && latest[0].last == 100 * Self.second)
    }

    @Test("An event that was away for more than an hour begins anew")
    func memory() {
        let events = EventRecorder()
        for time in [1, 2, 3700, 3701] as [Int64] { events.note(failure(0, .refused, at: time), of: route) }
        #expect(events.latest(5).map(\.count) == [2])
        #expect(events.latest(5).first?.first == 3700 * Self.second)
    }

    @Test("The oldest events make room, and no event names a client")
    func bounds() {
        let events = EventRecorder()
        for number in 0..<1000 {
            events.note(failure(0, .refused, at: Int64(number), route: UInt32(number)), of: route)
        }
        let latest = events.latest(.max)
        #expect(latest.count == EventRecorder.capacity)
        #expect(latest.last?.first == Int64(1000 - EventRecorder.capacity) * Self.second)
        #expect(!latest.contains { "\($0)".contains("4711") })
    }

    @Test("A line is an event from a warning on, or where it is no line of each route, setting or container")
    func lines() {
        let events = EventRecorder()
        events.note(.info, "stream started", ["route": "a", "action": "start"], at: 1)
        events.note(.info, "setting changed", ["setting": "log.level"], at: 2)
        events.note(.info, "a container is routed", ["container": "x"], at: 3)
        events.note(.debug, "drained", ["route": "a"], at: 4)
        #expect(events.latest(5).isEmpty)
        events.note(
            .warning, "upstream is out", ["route": "a", "upstream": "one:1", "cause": "check", "check": "refused"],
            at: 5)
        events.note(.info, "configuration reloaded", ["changes": "3"], at: 6)
        events.note(.warning, "a container is left out", ["container": "x", "error": "no port"], at: 7)
        #expect(
            events.latest(5).map(\.text) == [
                "A container is left out: x", "Configuration reloaded", "Upstream is out: one:1",
            ])
        #expect(events.latest(5).map(\.detail) == ["no port", "changes: 3", "refused"])
    }

    @Test("What one line says anew replaces what it said before, and long texts are cut")
    func details() {
        let events = EventRecorder()
        events.note(.error, "reload failed", ["error": "line 3"], at: 1)
        events.note(.error, "reload failed", ["error": "\(String(repeating: "ä", count: 5000))"], at: 2)
        let event = events.latest(1).first
        #expect(event?.count == 2 && event?.detail.count == 301)
    }

    @Test("Warnings and errors are events also where the log does not write them")
    func quietLog() throws {
        let log = try LogOutput(descriptor: 2, shardCount: 1, level: .critical, startsThread: false)
        let number = log.routes.insert(route)
        let handle = RouteLog(log, number: number)
        handle.record(.dialFailed(upstream: 1, .refused, nil), worker: 0)
        handle.record(.resolveFailed(upstream: 0, .dnsFailure))
        handle.record(.timedOut(.dial), worker: 0)
        Logger(label: "weir") { _ in WeirLogHandler(log) }.info("ready")
        var drain = LogDrain()
        log.collect(into: &drain)
        #expect(drain.bytes.isEmpty)
        #expect(
            Set(log.events.latest(9).map(\.text)) == [
                "Dial failed: two:2", "Upstream name not resolved: one:1", "Ready",
            ])
    }
}
