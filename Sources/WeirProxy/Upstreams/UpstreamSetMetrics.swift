import NetworkTypes
import Threading
import WeirBalance
import WeirConfiguration
import WeirMetrics
import WeirStream

/// Counts what happens to the upstreams of a route that has several, and passes it on as news.
final class UpstreamSetMetrics: UpstreamSetObserver {
    /// The series of one upstream.
    private struct Series {
        let registration: RouteRegistration
        let up: Gauge
        let weight: Gauge
        let changedAt: Gauge
        let members: [MemberState: Gauge]
        /// The changes that can occur, by the new state and the cause.
        let changes: [Change: Counter]
        let ejections: [EjectionReason: Counter]
        /// The settings that the series of information show, and these series.
        var shown: (settings: Settings, registration: RouteRegistration)?
    }

    /// The settings of an upstream, over all members that its name has.
    private struct Settings: Equatable {
        /// Whether all of them are backups.
        let isBackup: Bool
        /// The sum of their limits.
        let limit: Int?
        /// The kind of its checks.
        let check: String
        let balance: BalanceMethod

        init(_ members: [UpstreamConfiguration], of route: RouteConfiguration) {
            check = route.health?.check.rawValue ?? "none"
            balance = route.selection.method
            isBackup = members.allSatisfy(\.isBackup)
            let limits = members.compactMap(\.maxConnections)
            limit = limits.isEmpty ? nil : limits.reduce(0, +)
        }
    }

    private struct State {
        /// By the label of the upstream.
        var series: [String: Series] = [:]
        /// The label of each member.
        var labels: [String: String] = [:]
    }

    private struct Change: Hashable {
        let to: MemberState
        let cause: StateChangeCause
    }

    private let key: UpstreamSets.Key
    private let labels: [String]
    private let traits: StreamTraits
    private let registry: MetricsRegistry
    private let tell: AsyncStream<UpstreamSets.News>.Continuation
    private let common: RouteRegistration
    private let fallbacks: LabelCounters<FallbackReason>
    private let state = Lock(State())

    init(_ route: RouteConfiguration, registry: MetricsRegistry, tell: AsyncStream<UpstreamSets.News>.Continuation) {
        key = UpstreamSets.Key(route)
        self.registry = registry
        self.tell = tell
        let description = RouteDescription(route)
        labels = description.labels
        traits = description.traits
        common = RouteRegistration(registry)
        fallbacks = LabelCounters(
            common, MetricCatalogue.balanceFallbacks, labels: description.labels, on: description.traits)
    }

    // MARK: Configuration

    /// Takes in the members of a configuration: series of new upstreams begin, those of others are retired.
    func show(_ route: RouteConfiguration) {
        let members = Dictionary(grouping: route.upstreams) { $0.label(targetPorts: route.targetPorts) }
        let gone = state.withLock { state in
            let gone = state.series.filter { members[$0.key] == nil }
            for label in gone.keys { state.series[label] = nil }
            for (label, members) in members {
                var known = state.series[label] ?? makeSeries(label, isChecked: route.health != nil)
                let settings = Settings(members, of: route)
                if known.shown?.settings != settings {
                    known.shown?.registration.group.retire()
                    known.shown = (settings, showSettings(label, settings))
                }
                state.series[label] = known
            }
            state.labels = [:]
            for member in route.upstreams {
                state.labels[member.text(targetPorts: route.targetPorts)] =
                    member.label(targetPorts: route.targetPorts)
            }
            return gone
        }
        for upstream in gone.values { retire(upstream) }
    }

    private func makeSeries(_ label: String, isChecked: Bool) -> Series {
        let registration = RouteRegistration(registry)
        let labels = labels + [label]
        var changes: [Change: Counter] = [:]
        for cause in StateChangeCause.allCases where cause.occurrence.isPossible(on: traits) {
            for state in cause.states where isExpected(cause, isChecked: isChecked) {
                changes[Change(to: state, cause: cause)] = registration.counter(
                    MetricCatalogue.upstreamStateChanges, labels + [state.label, cause.label])
            }
        }
        var ejections: [EjectionReason: Counter] = [:]
        for reason in EjectionReason.allCases where reason.occurrence.isPossible(on: traits) {
            ejections[reason] = registration.counter(MetricCatalogue.upstreamEjections, labels + [reason.label])
        }
        var members: [MemberState: Gauge] = [:]
        for state in MemberState.allCases {
            members[state] = registration.gauge(MetricCatalogue.upstreamMembers, labels + [state.label])
        }
        return Series(
            registration: registration, up: registration.gauge(MetricCatalogue.upstreamUp, labels),
            weight: registration.gauge(MetricCatalogue.upstreamWeight, labels),
            changedAt: registration.gauge(MetricCatalogue.upstreamStateChangeTime, labels), members: members,
            changes: changes, ejections: ejections)
    }

    /// Whether the cause can occur with the settings of the route. Others get their series when they occur.
    private func isExpected(_ cause: StateChangeCause, isChecked: Bool) -> Bool {
        switch cause {
        case .check: isChecked
        case .engine: false
        case .dialFailed, .reset, .unanswered, .networkError, .admin, .recovered: true
        }
    }

    private func showSettings(_ label: String, _ settings: Settings) -> RouteRegistration {
        let registration = RouteRegistration(registry)
        let information = ["\(settings.isBackup)", settings.check, settings.balance.rawValue]
        registration.gauge(MetricCatalogue.upstreamInfo, labels + [label] + information).set(1)
        if let limit = settings.limit {
            registration.gauge(MetricCatalogue.upstreamLimit, labels + [label]).set(Int64(limit))
        }
        return registration
    }

    /// The route is configured no more.
    func retire() {
        let all = state.withLock { state in
            defer { state = State() }
            return state.series
        }
        for upstream in all.values { retire(upstream) }
        common.group.retire()
    }

    private func retire(_ upstream: Series) {
        upstream.shown?.registration.group.retire()
        upstream.registration.group.retire()
    }

    // MARK: State

    /// Shows the state of every upstream: that of a name is up while one of its members is.
    func refresh(_ status: [MemberStatus]) {
        state.withLock { state in
            let members = Dictionary(grouping: status) { state.labels[$0.member.name] }
            for (label, members) in members {
                guard let shown = label.flatMap({ state.series[$0] }) else { continue }
                shown.up.set(members.contains { $0.state == .up || $0.state == .draining } ? 1 : 0)
                shown.weight.set(members.reduce(0) { $0 + Int64($1.weight.rounded(.up)) })
                for (kind, gauge) in shown.members { gauge.set(Int64(members.count { $0.state == kind })) }
            }
        }
    }

    func stateChanged(_ change: MemberStateChange) {
        state.withLock { state in
            guard let label = state.labels[change.member], let upstream = state.series[label] else { return }
            let known = upstream.changes[Change(to: change.to, cause: change.cause)]
            (known ?? lateCounter(change, of: label, upstream.registration)).add()
            if let reason = change.ejectionReason { upstream.ejections[reason]?.add() }
            upstream.changedAt.set(WallClock.nanoseconds / 1_000_000)
        }
        tell.yield(.changed(key, change))
    }

    private func lateCounter(
        _ change: MemberStateChange, of label: String, _ registration: RouteRegistration
    ) -> Counter {
        registration.lateCounter(
            MetricCatalogue.upstreamStateChanges, labels + [label, change.to.label, change.cause.label])
    }

    func fellBack(_ reason: FallbackReason, worker: Int) { fallbacks[reason].add(shard: worker) }

    func probeRequested(_ member: String) -> Bool {
        tell.yield(.suspected(key, member: member))
        return true
    }
}

extension StateChangeCause {
    /// The states to which it leads.
    fileprivate var states: [MemberState] {
        switch self {
        case .check, .engine: [.up, .down]
        case .dialFailed, .reset, .unanswered, .networkError: [.ejected]
        case .admin: [.up, .draining]
        case .recovered: [.up]
        }
    }
}
