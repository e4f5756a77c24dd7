import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// Pauses that a test ends, so that no time passes.
private final class Pauses: Sendable {
    private struct State {
        var lengths: [Duration] = []
        var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]
        var canceled: Set<Int> = []
    }

    private let state = Box(State())

    /// The lengths of all pauses so far.
    var lengths: [Duration] { state.value.lengths }
    /// The number of pauses that nothing has ended.
    var count: Int { state.value.waiting.count }

    func pause(_ length: Duration) async throws {
        let number = state.update { state in
            state.lengths.append(length)
            return state.lengths.count
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCanceled = state.update { state in
                    if state.canceled.contains(number) { return true }
                    state.waiting[number] = continuation
                    return false
                }
                if isCanceled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let waiting = state.update { state in
                state.canceled.insert(number)
                return state.waiting.removeValue(forKey: number)
            }
            waiting?.resume(throwing: CancellationError())
        }
    }

    /// Ends all pauses.
    func end() {
        let waiting = state.update { state in
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
    }
}

@Suite(.timeLimit(.minutes(1))) struct MemberResolverTests {
    private let records = ScriptedRecords()
    private let pauses = Pauses()
    private let seconds = Box(1_000)
    private let resolver: MemberResolver
    private static let source = MemberSource.addresses(of: "db.example", port: 1)

    init() {
        let (pauses, seconds) = (pauses, seconds)
        resolver = MemberResolver(
            records: records, isLocal: { _ in false }, clock: TestClock().clock,
            secondsSince1970: { seconds.add(1) }, pause: { try await pauses.pause($0) })
    }

    private final class Heard: Sendable {
        private let news = Box<[MemberResolver.News]>([])
        var all: [MemberResolver.News] { news.value }
        var sink: MemberResolver.Sink { { news in self.news.update { $0.append(news) } } }
    }

    private func wait(_ what: String, until condition: @escaping @Sendable () -> Bool) async throws {
        try await offPool { try waitUntil(what, condition) }
    }

    /// Waits until so many lookups have ended, and the pause behind the last one runs.
    private func waitForPause(_ count: Int) async throws {
        let pauses = pauses
        try await wait("pause \(count)") { pauses.lengths.count == count && pauses.count == 1 }
    }

    private static func members(_ texts: String...) -> ResolvedMembers {
        ResolvedMembers(texts.map { .at($0) })
    }

    @Test(
        arguments: [
            (5, 60, 30), (5, 20, 20), (5, 2, 5), (5, 0, 5), (60, 20, 60), (0, 0, 1), (0, 3, 3), (0, 99_999_999, 30),
            (5, nil, 5), (0, nil, 1),
        ] as [(Int, Int?, Int)])
    func `the time to live decides between the shortest and the longest pause`(
        refresh: Int, timeToLive: Int?, expected: Int
    ) async throws {
        records.set("db.example", ["192.0.2.1"], ttl: timeToLive)
        let watch = await resolver.watch(Self.source, refresh: .seconds(refresh)) { _ in }
        try await waitForPause(1)
        #expect(pauses.lengths == [.seconds(expected)])
        await resolver.unwatch(watch, of: Self.source)
    }

    @Test func `every result is told, and equal records are equal members`() async throws {
        let heard = Heard()
        records.set("db.example", ["192.0.2.1", "192.0.2.2"])
        let watch = await resolver.watch(Self.source, refresh: .seconds(1), sink: heard.sink)
        try await waitForPause(1)
        records.set("db.example", ["192.0.2.2", "192.0.2.1"])
        pauses.end()
        try await waitForPause(2)
        records.set("db.example", ["192.0.2.3"])
        pauses.end()
        try await waitForPause(3)
        #expect(
            heard.all == [
                .init(members: Self.members("192.0.2.1:1", "192.0.2.2:1"), lastSuccess: 1_001),
                .init(members: Self.members("192.0.2.1:1", "192.0.2.2:1"), lastSuccess: 1_002),
                .init(members: Self.members("192.0.2.3:1"), lastSuccess: 1_003),
            ])
        await resolver.unwatch(watch, of: Self.source)
    }

    @Test func `failures are told with the last good set and its time, and so is their end`() async throws {
        let heard = Heard()
        let watch = await resolver.watch(Self.source, refresh: .seconds(7), sink: heard.sink)
        try await waitForPause(1)
        records.set("db.example", ["192.0.2.1"])
        pauses.end()
        try await waitForPause(2)
        for (number, failure) in [(3, .timedOut), (4, .unavailable)] as [(Int, AddressLookup.Failure)] {
            records.fail("db.example", failure)
            pauses.end()
            try await waitForPause(number)
        }
        records.set("db.example", ["192.0.2.1"])
        pauses.end()
        try await waitForPause(5)
        let good = Self.members("192.0.2.1:1")
        #expect(
            heard.all == [
                .init(failure: .notFound), .init(members: good, lastSuccess: 1_001),
                .init(members: good, failure: .timedOut, lastSuccess: 1_001),
                .init(members: good, failure: .unavailable, lastSuccess: 1_001),
                .init(members: good, lastSuccess: 1_002),
            ])
        #expect(pauses.lengths == [7, 30, 7, 7, 30].map { .seconds($0) })
        await resolver.unwatch(watch, of: Self.source)
    }

    @Test func `watches of one source share its lookups, and a later one is told what is known`() async throws {
        let (first, second) = (Heard(), Heard())
        records.set("db.example", ["192.0.2.1"], ttl: 2)
        let watch = await resolver.watch(Self.source, refresh: .seconds(20), sink: first.sink)
        try await waitForPause(1)
        let later = await resolver.watch(Self.source, refresh: .seconds(5), sink: second.sink)
        #expect(second.all == first.all && first.all.count == 1)
        // Only the pause has begun anew, with the shorter time.
        try await waitForPause(2)
        #expect(pauses.lengths == [.seconds(20), .seconds(5)])
        #expect(records.asked == ["db.example"])
        records.set("db.example", ["192.0.2.2"], ttl: 2)
        pauses.end()
        try await waitForPause(3)
        #expect(records.asked == ["db.example", "db.example"])
        #expect(second.all == first.all && first.all.count == 2)
        await resolver.unwatch(later, of: Self.source)
        pauses.end()
        try await waitForPause(4)
        #expect(pauses.lengths.last == .seconds(20))
        await resolver.unwatch(watch, of: Self.source)
    }

    @Test func `the last watch ends the lookups, and a new one begins anew`() async throws {
        let heard = Heard()
        records.set("db.example", ["192.0.2.1"])
        let watch = await resolver.watch(Self.source, refresh: .seconds(1)) { _ in }
        try await waitForPause(1)
        await resolver.unwatch(watch, of: Self.source)
        try await wait("the pause has ended") { [pauses] in pauses.count == 0 }
        #expect(records.asked.count == 1)
        let again = await resolver.watch(Self.source, refresh: .seconds(1), sink: heard.sink)
        try await wait("it is told") { heard.all.count == 1 }
        #expect(heard.all.first?.members == Self.members("192.0.2.1:1"))
        await resolver.unwatch(again, of: Self.source)
    }

    @Test func `a service's hosts are remembered from one lookup to the next`() async throws {
        let heard = Heard()
        let source = MemberSource.service("_a._udp.example")
        records.set(service: "_a._udp.example", [.at("a.example", port: 1), .at("b.example", port: 1)])
        records.set("a.example.", ["192.0.2.1"])
        records.set("b.example.", ["192.0.2.2"])
        let watch = await resolver.watch(source, refresh: .seconds(1), sink: heard.sink)
        try await waitForPause(1)
        records.fail("b.example.", .unavailable)
        pauses.end()
        try await waitForPause(2)
        #expect(heard.all.map(\.members?.members.count) == [2, 2])
        #expect(heard.all.last?.members?.omissions.hosts == ["b.example"])
        #expect(heard.all.last?.failure == nil)
        await resolver.unwatch(watch, of: source)
    }

    @Test func `many sources are watched at once, and each has its own set`() async throws {
        let told = Box<[Int: ResolvedMembers]>([:])
        for number in 0..<300 { records.set("\(number).example", ["10.0.\(number / 100).\(number % 100)"]) }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let source = MemberSource.addresses(of: "\(number).example", port: 9)
                    _ = await resolver.watch(source, refresh: .seconds(1)) { news in
                        told.update { $0[number] = news.members }
                    }
                }
            }
        }
        try await wait("all are told") { told.value.count == 300 }
        for number in 0..<300 {
            #expect(told.value[number] == Self.members("10.0.\(number / 100).\(number % 100):9"))
        }
    }

    @Test func `the records of a real name server become members`() async throws {
        let server = try NameServer()
        server["_radius._udp.weir.test"] = .records([
            .init(.service(priority: 20, weight: 1, port: 1_813, target: "b.weir.test")),
            .init(.service(priority: 10, weight: 7, port: 1_812, target: "a.weir.test")),
        ])
        server["a.weir.test"] = .records([
            .init(.alias("c.weir.test"), ttl: 11), .init(.a("192.0.2.1"), owner: "c.weir.test"),
            .init(.aaaa("2001:db8::1"), owner: "c.weir.test"),
        ])
        server["b.weir.test"] = .addresses(["192.0.2.2"])
        let (heard, pauses) = (Heard(), Pauses())
        let resolver = MemberResolver(
            records: RecordsOf(server), clock: TestClock().clock, pause: { try await pauses.pause($0) })
        let source = MemberSource.service("_radius._udp.weir.test.")
        let watch = await resolver.watch(source, refresh: .seconds(1), sink: heard.sink)
        try await wait("a pause") { pauses.count == 1 }
        #expect(
            heard.all.map(\.members?.members) == [
                [
                    .at("192.0.2.1:1812", priority: 10, weight: 7), .at("[2001:db8::1]:1812", priority: 10, weight: 7),
                    .at("192.0.2.2:1813", priority: 20, weight: 1),
                ]
            ])
        #expect(pauses.lengths == [.seconds(11)])
        #expect(server.questions(about: "a.weir.test") == ["A", "AAAA"])
        await resolver.unwatch(watch, of: source)
    }
}

/// The system's resolver, on threads that ask a server of the test.
private struct RecordsOf: MemberRecords {
    let server: NameServer

    init(_ server: NameServer) { self.server = server }

    func addresses(of host: String) throws(AddressLookup.Failure) -> HostAddresses {
        try run { () throws(AddressLookup.Failure) in try RecordLookup.system.addresses(of: host) }
    }

    func services(of name: String) throws(AddressLookup.Failure) -> ServiceRecords {
        try run { () throws(AddressLookup.Failure) in try RecordLookup.system.services(of: name) }
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(AddressLookup.Failure) -> Value
    ) throws(AddressLookup.Failure) -> Value {
        let result = try? server.run { Result(catching: body) }
        guard let result else { throw .unavailable }
        return try result.get()
    }
}
