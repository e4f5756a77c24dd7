public import WeirConfiguration

/// Makes routes of containers. It remembers what is in force, so that routes outlive their containers for a while, and
/// those that are there keep their names and ports when another container claims them. Pure: times are nanoseconds of
/// one clock.
public struct ContainerPlanner: Sendable {
    /// Why a container is left out, although nothing is wrong with its labels by themselves.
    public struct Refusal: Sendable, Equatable {
        /// The sort of error.
        public let reason: EngineErrorReason
        /// The error in one line.
        public let message: String

        /// Joins a sort and its words.
        public init(_ reason: EngineErrorReason, _ message: String) {
            self.reason = reason
            self.message = message
        }
    }

    /// Refusals of whole containers, by the names that their messages have.
    public typealias Refusals = [String: Refusal]

    private var inForce: [PlannedRoute] = []

    /// Nothing is in force yet.
    public init() {}

    /// The routes of containers as they are now. The configuration is that of the file, whose routes go first.
    public func plan(
        _ snapshots: [EngineSnapshot], _ configuration: Configuration, refusals: Refusals = [:], now: UInt64
    ) -> ContainerPlan {
        guard let settings = configuration.docker else {
            return ContainerPlan(root: nil, verdicts: [], gone: [], nextEnd: nil, routes: [], bind: [])
        }
        var draft = PlanDraft(configuration, settings: settings, refusals: refusals, inForce: inForce)
        for snapshot in snapshots { draft.add(snapshot) }
        let routes = draft.routes + outliving(draft, settings: settings, refusals, now: now)
        let grace = nanoseconds(of: settings.grace)
        return ContainerPlan(
            root: FragmentTree.root(of: routes, bind: settings.bind),
            verdicts: draft.verdicts.sorted { ($0.engine, $0.container, $0.id) < ($1.engine, $1.container, $1.id) },
            gone: gone(draft, without: routes), nextEnd: routes.compactMap { $0.goneSince.map { $0 &+ grace } }.min(),
            routes: routes, bind: settings.bind)
    }

    /// Notes that a plan is in force.
    public mutating func commit(_ plan: ContainerPlan) {
        inForce = plan.routes
    }

    /// Routes in force whose containers are gone and whose names are free, until their time is over.
    private func outliving(
        _ draft: PlanDraft, settings: Configuration.Docker, _ refusals: Refusals, now: UInt64
    ) -> [PlannedRoute] {
        let names = Set(draft.routes.map(\.name))
        return inForce.compactMap { route in
            // Of a container that runs and is no member, its verdict says why.
            guard !names.contains(route.name), route.members.allSatisfy({ !draft.isReachable($0.key) }),
                route.members.allSatisfy({ refusals[$0.container] == nil }), var last = route.members.last
            else { return nil }
            let since = route.goneSince ?? now
            guard now < since &+ nanoseconds(of: settings.grace) else { return nil }
            (last.isDraining, last.isGone) = (true, true)
            var kept = route
            kept.members = [last]
            kept.goneSince = since
            return kept
        }
    }

    /// The upstreams in force whose containers have ended, or have left their addresses. One that is only no upstream
    /// any more, because its labels or the file say so, is not among them: its clients may finish.
    private func gone(_ draft: PlanDraft, without routes: [PlannedRoute]) -> [ContainerPlan.Gone] {
        let left = Dictionary(routes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return inForce.flatMap { route in
            route.members.compactMap { member -> ContainerPlan.Gone? in
                if member.isGone { return nil }
                let isLeft = left[route.name]?.members.contains {
                    !$0.isGone && $0.key == member.key && $0.host == member.host && $0.port == member.port
                }
                if isLeft == true || draft.isThere(member) { return nil }
                return ContainerPlan.Gone(
                    route: route.name, host: member.host.upstream,
                    ports: member.port.map { [$0...$0] } ?? route.ports.map(\.target))
            }
        }
    }
}

/// The nanoseconds of a duration of the configuration, as far as they can be counted.
func nanoseconds(of duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, seconds < 1_000_000_000 else { return seconds < 0 ? 0 : 1_000_000_000_000_000_000 }
    return UInt64(seconds) * 1_000_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000
}
