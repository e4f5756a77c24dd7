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
        /// The settings that the series of information show.
        var settings: (isBackup: Bool, limit: Int?, shown: RouteRegistration)?
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
    private let series = Lock<[String: Series]>([:])

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

    /// Takes in the upstreams of a configuration: series of new ones begin, those of others are retired.
    func show(_ route: RouteConfiguration) {
        let texts = route.upstreamTexts
        let gone = series.withLock { series in
            let gone = series.filter { !texts.contains($0.key) }
            for text in gone.keys { series[text] = nil }
            for (text, upstream) in zip(texts, route.upstreams) {
                var member = series[text] ?? makeSeries(text, isChecked: route.health != nil)
                let settings = (upstream.isBackup, upstream.maxConnections)
                if member.settings.map({ ($0.isBackup, $0.limit) == settings }) != true {
                    member.settings?.shown.group.retire()
                    member.settings = (upstream.isBackup, upstream.maxConnections, showSettings(text, upstream))
                }
                series[text] = member
            }
            return gone
        }
        for member in gone.values { retire(member) }
    }

    private func makeSeries(_ text: String, isChecked: Bool) -> Series {
        let registration = RouteRegistration(registry)
        let labels = labels + [text]
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

    private func showSettings(_ text: String, _ upstream: UpstreamConfiguration) -> RouteRegistration {
        let registration = RouteRegistration(registry)
        registration.gauge(MetricCatalogue.upstreamInfo, labels + [text, "\(upstream.isBackup)"]).set(1)
        if let limit = upstream.maxConnections {
            registration.gauge(MetricCatalogue.upstreamLimit, labels + [text]).set(Int64(limit))
        }
        return registration
    }

    /// The route is configured no more.
    func retire() {
        let all = series.withLock { series in
            defer { series = [:] }
            return series
        }
        for member in all.values { retire(member) }
        common.group.retire()
    }

    private func retire(_ member: Series) {
        member.settings?.shown.group.retire()
        member.registration.group.retire()
    }

    // MARK: State

    /// Shows the state of every upstream.
    func refresh(_ status: [MemberStatus]) {
        series.withLock { series in
            for member in status {
                guard let shown = series[member.member.name] else { continue }
                shown.up.set(member.state == .up || member.state == .draining ? 1 : 0)
                shown.weight.set(Int64(member.weight.rounded(.up)))
                for (state, gauge) in shown.members { gauge.set(state == member.state ? 1 : 0) }
            }
        }
    }

    func stateChanged(_ change: MemberStateChange) {
        series.withLock { series in
            guard let member = series[change.member] else { return }
            let known = member.changes[Change(to: change.to, cause: change.cause)]
            (known ?? lateCounter(change, member.registration)).add()
            if let reason = change.ejectionReason { member.ejections[reason]?.add() }
            member.changedAt.set(WallClock.nanoseconds / 1_000_000)
        }
        tell.yield(.changed(key, change))
    }

    private func lateCounter(_ change: MemberStateChange, _ registration: RouteRegistration) -> Counter {
        registration.lateCounter(
            MetricCatalogue.upstreamStateChanges, labels + [change.member, change.to.label, change.cause.label])
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
