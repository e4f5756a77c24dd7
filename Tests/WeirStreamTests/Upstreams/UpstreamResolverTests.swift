import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UpstreamResolverTests {
    private struct Told: Equatable, Sendable {
        let answer: NameAnswer
        let failure: AddressLookup.Failure?
    }

    private static func resolver(_ names: any NameResolver, every: Duration = .seconds(3600)) -> UpstreamResolver {
        UpstreamResolver(resolver: names, refreshInterval: every, minInterval: .milliseconds(1))
    }

    private static func answer(_ texts: String...) -> NameAnswer {
        .addresses(texts.compactMap { IPAddress($0).map { SocketAddress($0, port: 0) } })
    }

    @Test func `the families alternate, beginning with that of the best address`() throws {
        func order(_ texts: [String]) -> [String] {
            let addresses = texts.compactMap { IPAddress($0).map { SocketAddress($0, port: 0) } }
            return UpstreamResolver.interleave(addresses).map(\.ip.description)
        }
        #expect(order([]) == [])
        #expect(order(["::1", "::2", "::3", "1.0.0.1"]) == ["::1", "1.0.0.1", "::2", "::3"])
        #expect(order(["1.0.0.1", "1.0.0.2", "::1", "::2"]) == ["1.0.0.1", "::1", "1.0.0.2", "::2"])
        #expect(order(["1.0.0.1", "1.0.0.2"]) == ["1.0.0.1", "1.0.0.2"])
    }

    @Test func `the last good answer is kept when a lookup fails`() async throws {
        let names = TableResolver(["a.example": ["192.0.2.1"]])
        let resolver = Self.resolver(names, every: .milliseconds(1))
        let told = Box<[Told]>([])
        let watch = await resolver.watch("a.example") { answer, failure in
            told.update { $0.append(Told(answer: answer, failure: failure)) }
        }
        try await offPool { try waitUntil("the first answer") { !told.value.isEmpty } }
        names.set("a.example", [])
        let kept = Told(answer: Self.answer("192.0.2.1"), failure: .notFound)
        try await offPool { try waitUntil("a failed lookup is told") { told.value.contains(kept) } }
        names.set("a.example", ["192.0.2.2"])
        let new = Told(answer: Self.answer("192.0.2.2"), failure: nil)
        try await offPool { try waitUntil("the next good answer is told") { told.value.contains(new) } }
        #expect(told.value.first == Told(answer: Self.answer("192.0.2.1"), failure: nil))
        #expect(!told.value.contains { $0.answer == .unresolvable(.notFound) || $0.answer == .pending })
        await resolver.unwatch(watch, of: "a.example")
    }

    @Test func `a name is asked again on request, before its answer is old`() async throws {
        let names = TableResolver([:])
        let resolver = Self.resolver(names)
        let told = Box<[Told]>([])
        let watch = await resolver.watch("a.example") { answer, failure in
            told.update { $0.append(Told(answer: answer, failure: failure)) }
        }
        try await offPool { try waitUntil("the failure is told") { !told.value.isEmpty } }
        #expect(told.value == [Told(answer: .unresolvable(.notFound), failure: .notFound)])
        names.set("a.example", ["192.0.2.1"])
        await resolver.refresh("a.example")
        try await offPool { try waitUntil("the new answer is told") { told.value.count == 2 } }
        #expect(told.value.last == Told(answer: Self.answer("192.0.2.1"), failure: nil))
        #expect(names.lookUps(of: "a.example") == 2)
        await resolver.unwatch(watch, of: "a.example")
    }

    @Test func `a name without an answer keeps the reason of its last lookup`() async throws {
        let names = FailingResolver([.timedOut, .unavailable, .notFound])
        let resolver = Self.resolver(names)
        let told = Box<[Told]>([])
        let watch = await resolver.watch("a.example") { answer, failure in
            told.update { $0.append(Told(answer: answer, failure: failure)) }
        }
        for count in 1...3 {
            try await offPool { try waitUntil("the failure is told") { told.value.count == count } }
            if count < 3 { await resolver.refresh("a.example") }
        }
        #expect(
            told.value
                == ([.timedOut, .unavailable, .notFound] as [AddressLookup.Failure]).map {
                    Told(answer: .unresolvable($0), failure: $0)
                })
        await resolver.unwatch(watch, of: "a.example")
    }

    @Test func `a second watch shares the lookup, and is told what is known as it was`() async throws {
        let names = TableResolver(["good.example": ["192.0.2.1"]])
        let resolver = Self.resolver(names)
        for (name, wanted) in [
            ("good.example", Told(answer: Self.answer("192.0.2.1"), failure: nil)),
            ("bad.example", Told(answer: .unresolvable(.notFound), failure: .notFound)),
        ] {
            let told = Box<[Told]>([])
            let sink: UpstreamResolver.Sink = { answer, failure in
                told.update { $0.append(Told(answer: answer, failure: failure)) }
            }
            _ = await resolver.watch(name, sink: sink)
            try await offPool { try waitUntil("the first watch is told") { told.value.count == 1 } }
            _ = await resolver.watch(name, sink: sink)
            #expect(told.value == [wanted, wanted])
            #expect(names.lookUps(of: name) == 1)
        }
    }

    @Test func `a name that hangs does not delay another`() async throws {
        let names = PickyResolver()
        defer { names.slow.letGo() }
        let resolver = Self.resolver(names)
        let told = Box<[String]>([])
        let slow = await resolver.watch("slow.example") { _, _ in told.update { $0.append("slow") } }
        let fast = await resolver.watch("fast.example") { _, _ in told.update { $0.append("fast") } }
        try await offPool { try waitUntil("the fast one is told") { told.value.contains("fast") } }
        #expect(told.value == ["fast"])
        names.slow.letGo()
        try await offPool { try waitUntil("the slow one is told") { told.value == ["fast", "slow"] } }
        await resolver.unwatch(slow, of: "slow.example")
        await resolver.unwatch(fast, of: "fast.example")
    }

    @Test func `there are never more lookups at once than the bound, also while others end and begin`() async throws {
        let names = CountingResolver()
        let resolver = Self.resolver(names)
        let hosts = (0..<400).map { "host-\($0).example" }
        await withTaskGroup(of: Void.self) { group in
            for host in hosts { group.addTask { _ = await resolver.watch(host) { _, _ in } } }
        }
        try await offPool { try waitUntil("every name was asked for") { names.ended == hosts.count } }
        // On a busy machine some may take so long that they make room for others.
        #expect(names.most <= LookupSlots.maxFast + LookupSlots.maxSlow)
        #expect(names.most > 1)
    }

    @Test func `eighty names whose servers are silent hold up neither local names nor good ones`() async throws {
        let names = PickyResolver(slowSuffix: ".silent.example")
        defer { names.slow.letGo() }
        let resolver = UpstreamResolver(
            resolver: names, refreshInterval: .seconds(3600), minInterval: .milliseconds(1),
            isLocal: { $0 == "here.example" }, slowAfter: .milliseconds(50))
        let told = Box<Set<String>>([])
        for number in 0..<80 {
            _ = await resolver.watch("\(number).silent.example") { _, _ in told.update { _ = $0.insert("silent") } }
        }
        for host in ["good.example", "here.example"] {
            _ = await resolver.watch(host) { _, _ in told.update { _ = $0.insert(host) } }
        }
        try await offPool {
            try waitUntil("both are told") { told.value.isSuperset(of: ["good.example", "here.example"]) }
        }
        #expect(!told.value.contains("silent"))
        names.slow.letGo()
    }

    @Test func `a local name does not wait, and one that answered before has its share`() async throws {
        let names = PickyResolver(slowSuffix: ".silent.example")
        defer { names.slow.letGo() }
        // Nothing becomes slow.
        let resolver = UpstreamResolver(
            resolver: names, refreshInterval: .seconds(3600), minInterval: .milliseconds(1),
            isLocal: { $0 == "here.example" }, slowAfter: .seconds(3600))
        let told = Box<[String]>([])
        _ = await resolver.watch("known.example") { _, _ in told.update { $0.append("known") } }
        try await offPool { try waitUntil("it has an answer") { told.value == ["known"] } }
        for number in 0..<80 {
            _ = await resolver.watch("\(number).silent.example") { _, _ in }
        }
        _ = await resolver.watch("new.example") { _, _ in told.update { $0.append("new") } }
        _ = await resolver.watch("here.example") { _, _ in told.update { $0.append("here") } }
        await resolver.refresh("known.example")
        try await offPool { try waitUntil("both are told") { told.value.count == 3 } }
        #expect(Set(told.value.dropFirst()) == ["known", "here"])
        names.slow.letGo()
        try await offPool { try waitUntil("the new one is told in its turn") { told.value.contains("new") } }
    }

    @Test func `the last watch of a name ends its lookups`() async throws {
        let names = TableResolver(["a.example": ["192.0.2.1"], "b.example": ["192.0.2.2"]])
        let resolver = Self.resolver(names, every: .milliseconds(1))
        let first = await resolver.watch("a.example") { _, _ in }
        let second = await resolver.watch("a.example") { _, _ in }
        let other = await resolver.watch("b.example") { _, _ in }
        await resolver.unwatch(first, of: "a.example")
        let before = names.lookUps(of: "a.example")
        try await offPool { try waitUntil("it is still asked") { names.lookUps(of: "a.example") > before + 3 } }
        await resolver.unwatch(second, of: "a.example")
        // One that was under way may still end; the other name's lookups measure the time.
        let after = names.lookUps(of: "a.example")
        let beat = names.lookUps(of: "b.example")
        try await offPool { try waitUntil("time passes") { names.lookUps(of: "b.example") > beat + 20 } }
        #expect(names.lookUps(of: "a.example") <= after + 1)
        await resolver.unwatch(other, of: "b.example")
    }
}

/// Counts how many are asked at once. Each lookup takes as long as a thread needs to get another turn.
private final class CountingResolver: NameResolver {
    private let state = Box((running: 0, most: 0, ended: 0))

    var most: Int { state.value.most }
    var ended: Int { state.value.ended }

    func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
        state.update { state in
            state.running += 1
            state.most = max(state.most, state.running)
        }
        for _ in 0..<3 { sched_yield() }
        state.update { state in
            state.running -= 1
            state.ended += 1
        }
        return [SocketAddress(.loopbackIPv4, port: 0)]
    }
}

/// Fails in the given ways, one after the other; the last one stays.
private final class FailingResolver: NameResolver {
    private let failures: Box<[AddressLookup.Failure]>

    init(_ failures: [AddressLookup.Failure]) {
        self.failures = Box(failures)
    }

    func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
        let all = failures.value
        if all.count > 1 { failures.set(Array(all.dropFirst())) }
        throw all.first ?? .notFound
    }
}

/// Hangs for one name and answers for all others.
private struct PickyResolver: NameResolver {
    let slow = HangingResolver(answer: ["192.0.2.9"])
    var slowSuffix = "slow.example"

    func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
        if host.hasSuffix(slowSuffix) { return try slow.resolve(host) }
        return [SocketAddress(.loopbackIPv4, port: 0)]
    }
}
