import LinuxIO
import NetworkTypes
import Threading
import WeirBalance
import WeirStream

extension UInt64 {
    /// Nanoseconds of whole seconds.
    static func seconds(_ count: Double) -> UInt64 { UInt64(count * 1_000_000_000) }
}

/// Keeps what a set tells, and probes what it asks for.
final class SetRecorder: UpstreamSetObserver {
    private struct Calls: Sendable {
        var changes: [MemberStateChange] = []
        var fallbacks: [FallbackReason: Int] = [:]
        var probes: [String] = []
    }

    private let calls = Lock(Calls())
    private let probesMembers: Bool

    init(probesMembers: Bool = false) { self.probesMembers = probesMembers }

    var changes: [MemberStateChange] { calls.withLock { $0.changes } }
    var probes: [String] { calls.withLock { $0.probes } }
    func fallbacks(_ reason: FallbackReason) -> Int { calls.withLock { $0.fallbacks[reason] ?? 0 } }

    /// The changes as `name: from→to cause`.
    var texts: [String] {
        changes.map { "\($0.member): \($0.from.rawValue)→\($0.to.rawValue) \($0.cause.rawValue)" }
    }

    func forget() { calls.withLock { $0 = Calls() } }

    func stateChanged(_ change: MemberStateChange) { calls.withLock { $0.changes.append(change) } }
    func fellBack(_ reason: FallbackReason, worker: Int) {
        calls.withLock { $0.fallbacks[reason, default: 0] += 1 }
    }

    func probeRequested(_ member: String) -> Bool {
        calls.withLock { $0.probes.append(member) }
        return probesMembers
    }
}

/// A set with the selectors of its workers, as the engine would call them.
final class Rig {
    let set: UpstreamSet
    let recorder: SetRecorder
    let workerCount: Int
    private(set) var configuration: BalanceConfiguration
    private(set) var selectors: [any UpstreamSelector] = []
    private var generation: UInt32 = 0
    var now: UInt64 = .seconds(1_000)

    init(
        _ configuration: BalanceConfiguration, transport: Transport = .tcp, workers: Int = 1,
        probesMembers: Bool = false, tables: MaglevTables = MaglevTables()
    ) throws {
        recorder = SetRecorder(probesMembers: probesMembers)
        workerCount = workers
        self.configuration = configuration
        set = try UpstreamSet(
            configuration, transport: transport, observer: recorder, tables: tables, now: .seconds(1_000))
        makeSelectors(set.makeSelector())
    }

    private func makeSelectors(_ make: StreamHooks.MakeSelector) {
        generation += 1
        let members = configuration.members.indices.map { slot in
            UpstreamMember(
                handle: UpstreamHandle(slot: UInt32(slot), generation: generation), upstream: Self.upstream)
        }
        selectors = (0..<workerCount).map { make(members, $0) }
    }

    private static let upstream: Upstream = {
        do { return try Upstream("192.0.2.1:1") } catch { preconditionFailure("\(error)") }
    }()

    func update(_ configuration: BalanceConfiguration) throws {
        self.configuration = configuration
        makeSelectors(try set.update(configuration, now: now))
    }

    func update(_ change: (inout BalanceConfiguration) -> Void) throws {
        var new = configuration
        change(&new)
        try update(new)
    }

    func name(_ member: UpstreamHandle) -> String { configuration.members[Int(member.slot)].name }

    func handle(_ name: String) -> UpstreamHandle {
        let slot = configuration.members.firstIndex { $0.name == name } ?? 0
        return UpstreamHandle(slot: UInt32(slot), generation: generation)
    }

    /// One client's choice; it stays open until ``release(_:worker:)``.
    @discardableResult
    func choose(_ client: SocketAddress = .client(1), worker: Int = 0, tried: [String] = []) -> String? {
        var set = TriedUpstreams()
        for name in tried { set.insert(handle(name)) }
        guard let member = selectors[worker].next(for: client, tried: set, now: now) else { return nil }
        selectors[worker].chosen(member)
        return name(member)
    }

    /// A choice that ends at once.
    @discardableResult
    func pass(_ client: SocketAddress = .client(1), worker: Int = 0, tried: [String] = []) -> String? {
        let name = choose(client, worker: worker, tried: tried)
        if let name { release(name, worker: worker) }
        return name
    }

    func release(_ name: String, worker: Int = 0) { selectors[worker].released(handle(name)) }

    func dial(_ name: String, _ failure: DialFailure? = nil, worker: Int = 0) {
        selectors[worker].dialEnded(handle(name), failure: failure, now: now)
    }

    func answer(_ name: String) { selectors[0].answered(handle(name), now: now) }

    func breakUp(_ name: String, isAsked: Bool = false) {
        selectors[0].brokeUnanswered(handle(name), isAsked: isAsked, now: now)
    }

    func state(_ name: String) -> MemberState? { status(name)?.state }
    func status(_ name: String) -> MemberStatus? { set.status(now: now).first { $0.member.name == name } }

    /// How often each member is chosen, the workers in turn, by clients of all addresses.
    func shares(_ count: Int, clients: Int = 1 << 24) -> [String: Int] {
        var shares: [String: Int] = [:]
        for index in 0..<count {
            guard let name = pass(.client(index % clients), worker: index % workerCount) else { continue }
            shares[name, default: 0] += 1
        }
        return shares
    }
}

extension SocketAddress {
    /// A client by number: different addresses of 10.0.0.0/8.
    static func client(_ number: Int) -> SocketAddress {
        SocketAddress(IPAddress(v4: 0x0a00_0000 | UInt32(number & 0xff_ffff)), port: 40_000)
    }
}

extension BalanceConfiguration {
    /// Members `a`, `b` … with these weights.
    static func weighted(_ weights: [Int], _ method: BalanceMethod) -> BalanceConfiguration {
        let letters = "abcdefghijklmnopqrstuvwxyz".map { String($0) }
        return BalanceConfiguration(
            zip(letters, weights).map { BalancedMember("\($0):1", name: $0, weight: $1) }, method: method)
    }

    /// Members with the addresses `m0:1`, `m1:1` ….
    static func numbered(_ count: Int, _ method: BalanceMethod) -> BalanceConfiguration {
        BalanceConfiguration((0..<count).map { BalancedMember("m\($0):1") }, method: method)
    }
}
