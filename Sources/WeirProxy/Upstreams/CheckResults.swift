import LinuxIO
import Threading
import WeirHealth
import WeirMetrics
import WeirStream

/// Counts the results of checks, and tells the sets of upstreams which of them are up: an upstream whose name has
/// several addresses is up while one of them is. Called on the checker's thread; safe from any.
final class CheckResults: HealthObserver {
    private struct State {
        var tokens: [UInt64: UpstreamChecks.Member] = [:]
        var members: [UpstreamChecks.Member: Checked] = [:]
    }

    private struct Checked {
        var series: CheckMetrics
        var tokens: Set<UInt64> = []
        var down: Set<UInt64> = []
        var isDown = false
        var lastFailure: CheckOutcome?
    }

    private let sets: UpstreamSets
    private let registry: MetricsRegistry
    private let state = Lock(State())

    init(sets: UpstreamSets, registry: MetricsRegistry) {
        self.sets = sets
        self.registry = registry
    }

    // MARK: Upstreams

    func begin(_ member: UpstreamChecks.Member, _ check: HealthCheck, isName: Bool, isCarried: Bool) {
        let series = CheckMetrics(member, check, isName: isName, isCarried: isCarried, registry)
        state.withLock { $0.members[member] = Checked(series: series) }
    }

    /// The upstream is checked in another way from now on.
    func change(_ member: UpstreamChecks.Member, _ check: HealthCheck, isName: Bool, isCarried: Bool) {
        let series = CheckMetrics(member, check, isName: isName, isCarried: isCarried, registry)
        let old = state.withLock { state in
            defer { state.members[member]?.series = series }
            return state.members[member]?.series
        }
        old?.retire()
    }

    /// The upstream is checked no more: no check speaks against it.
    func end(_ member: UpstreamChecks.Member) {
        let known = state.withLock { state in
            let known = state.members.removeValue(forKey: member)
            for token in known?.tokens ?? [] { state.tokens[token] = nil }
            return known
        }
        known?.series.retire()
        if known?.isDown == true { publish(member, isUp: true) }
    }

    /// Takes in the numbers of the addresses that are checked for an upstream.
    func setTokens(_ tokens: Set<UInt64>, of member: UpstreamChecks.Member) {
        let change = state.withLock { state -> Bool? in
            guard let known = state.members[member] else { return nil }
            for token in known.tokens.subtracting(tokens) { state.tokens[token] = nil }
            for token in tokens { state.tokens[token] = member }
            state.members[member]?.tokens = tokens
            state.members[member]?.down.formIntersection(tokens)
            // Without an address there is nothing to judge: what was found last stays.
            return tokens.isEmpty ? nil : Self.decide(&state, member)
        }
        if let change { publish(member, isUp: change) }
    }

    /// No look-up of the name has given an address yet.
    func hasNoAddress(_ member: UpstreamChecks.Member) {
        let change = state.withLock { state -> Bool? in
            guard let known = state.members[member] else { return nil }
            known.series.count(.failure(.dns))
            guard known.tokens.isEmpty, !known.isDown else { return nil }
            state.members[member]?.isDown = true
            state.members[member]?.lastFailure = .failure(.dns)
            return false
        }
        if let change { publish(member, isUp: change) }
    }

    func lastFailure(of member: UpstreamChecks.Member) -> CheckOutcome? {
        state.withLock { $0.members[member]?.lastFailure }
    }

    // MARK: Results

    func checked(_ subscription: HealthSubscription, _ outcome: CheckOutcome) {
        state.withLock { state in
            guard let member = state.tokens[subscription.token] else { return }
            state.members[member]?.series.count(outcome)
            if !outcome.result.isSuccess { state.members[member]?.lastFailure = outcome }
        }
    }

    func changed(_ subscription: HealthSubscription, isUp: Bool, cause: CheckOutcome?) {
        let change = state.withLock { state -> (UpstreamChecks.Member, Bool)? in
            guard let member = state.tokens[subscription.token] else { return nil }
            if isUp {
                state.members[member]?.down.remove(subscription.token)
            } else {
                state.members[member]?.down.insert(subscription.token)
            }
            return Self.decide(&state, member).map { (member, $0) }
        }
        if let (member, isUp) = change { publish(member, isUp: isUp) }
    }

    func notChecked(_ subscription: HealthSubscription, _ error: SystemError) {
        state.withLock { state in
            guard let member = state.tokens[subscription.token] else { return }
            state.members[member]?.series.notChecked()
        }
    }

    /// Whether the upstream went up or down; nil where it did neither.
    private static func decide(_ state: inout State, _ member: UpstreamChecks.Member) -> Bool? {
        guard let known = state.members[member] else { return nil }
        let isDown = !known.tokens.isEmpty && known.down == known.tokens
        guard isDown != known.isDown else { return nil }
        state.members[member]?.isDown = isDown
        return !isDown
    }

    private func publish(_ member: UpstreamChecks.Member, isUp: Bool) {
        sets.set(member.key)?.checkResult(member.name, isUp: isUp, now: MonotonicClock.system.nanoseconds)
    }
}

/// The series of the checks of one upstream.
struct CheckMetrics: Sendable {
    private let registration: RouteRegistration
    private let results: [CheckResult: Counter]
    private let duration: Histogram
    private let skipped: Counter

    init(
        _ member: UpstreamChecks.Member, _ check: HealthCheck, isName: Bool, isCarried: Bool,
        _ registry: MetricsRegistry
    ) {
        registration = RouteRegistration(registry)
        let labels = [member.key.route, member.key.transport.rawValue, member.label]
        var results: [CheckResult: Counter] = [:]
        for result in CheckResult.allCases
        where result.isPossible(for: check, ofName: isName, isCarried: isCarried) {
            results[result] = registration.counter(MetricCatalogue.healthChecks, labels + [result.rawValue])
        }
        self.results = results
        duration = registration.histogram(MetricCatalogue.healthCheckDuration, labels)
        skipped = registration.counter(MetricCatalogue.healthChecksSkipped, labels)
    }

    func count(_ outcome: CheckOutcome) {
        results[outcome.result]?.add()
        if let nanoseconds = outcome.durationNanoseconds { duration.observe(raw: nanoseconds) }
    }

    func notChecked() { skipped.add() }

    func retire() { registration.group.retire() }
}
