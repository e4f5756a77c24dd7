import LinuxIO

/// The plan of a route on one worker. Connections and sessions hold the snapshot under which they began, so that a
/// change applies only to new ones. Confined to the worker.
final class RouteSnapshot<Settings: Sendable> {
    /// The name and the configured upstreams, shared by every context.
    let identity: RouteIdentity
    let settings: Settings
    let hooks: StreamHooks
    let upstreams: [UpstreamState]
    /// The policy that chooses among the upstreams, with its state on this worker.
    let selector: any UpstreamSelector
    /// Whether the policy may want sessions to leave their upstream.
    let hasPolicy: Bool
    /// Whether connected upstreams may need a handshake.
    let hasUpstreamHandshake: Bool
    /// Whether the route's upstreams answer, over all workers; nil on TCP.
    var answers: AnswerHistory?
    /// The number of the route's configuration. Lookup results for another number are ignored.
    let generation: Int
    let refresh: @Sendable (_ upstream: Int) -> Void

    /// Creates the snapshot of a plan. Upstreams that `previous` has, too, stay the same objects: they keep their
    /// addresses, and connections that wait for a lookup under the old plan get its result.
    init(_ plan: RoutePlan<Settings>, worker: Int, previous: RouteSnapshot? = nil) {
        identity = RouteIdentity(name: plan.name, upstreams: plan.upstreams)
        settings = plan.settings
        hooks = plan.hooks
        upstreams = plan.upstreams.map { upstream in
            previous?.upstreams.first { $0.upstream == upstream } ?? UpstreamState(upstream)
        }
        if let tunnel = plan.hooks.tunnel {
            for state in upstreams where state.upstream.behindAgent != nil {
                state.tunnel = tunnel(state.upstream, worker)
            }
        }
        hasUpstreamHandshake = plan.hooks.upstreamSession != nil || plan.hooks.tunnel != nil
        let members = plan.upstreams.enumerated().map { slot, upstream in
            UpstreamMember(handle: Self.handle(slot, plan.generation), upstream: upstream)
        }
        hasPolicy = plan.hooks.makeSelector != nil
        selector = plan.hooks.makeSelector?(members, worker) ?? FirstSelector(members.map(\.handle))
        generation = plan.generation
        refresh = plan.refresh
    }

    /// Creates the snapshot of another shift of the upstreams' ports. Upstreams that it does not change, and those of
    /// `previous`, stay the same objects.
    init(shifting base: RouteSnapshot, by portShift: UInt16, previous: RouteSnapshot? = nil) {
        identity = base.identity
        settings = base.settings
        hooks = base.hooks
        upstreams = base.upstreams.map { state in
            let shifted = state.upstream.shifted(by: portShift)
            if shifted == state.upstream { return state }
            let known = previous?.upstreams.first { $0.upstream == shifted } ?? UpstreamState(shifted, like: state)
            known.tunnel = state.tunnel
            return known
        }
        selector = base.selector
        hasPolicy = base.hasPolicy
        hasUpstreamHandshake = base.hasUpstreamHandshake
        answers = base.answers
        generation = base.generation
        refresh = base.refresh
    }

    var observer: (any StreamObserver)? { hooks.observer }
    var configuredUpstreams: [Upstream] { identity.upstreams }

    // MARK: Members

    // The slot of a member is the index of its configured upstream.
    private static func handle(_ slot: Int, _ generation: Int) -> UpstreamHandle {
        UpstreamHandle(slot: UInt32(slot), generation: UInt32(truncatingIfNeeded: generation))
    }

    /// Returns the handle of a configured upstream; nil where the index does not exist.
    func handle(ofUpstream index: Int) -> UpstreamHandle? {
        upstreams.indices.contains(index) ? Self.handle(index, generation) : nil
    }

    /// Whether a handle refers to a member of this snapshot.
    func holds(_ member: UpstreamHandle) -> Bool {
        member.generation == UInt32(truncatingIfNeeded: generation) && Int(member.slot) < upstreams.count
    }

    /// Returns the state of a member; nil where the handle does not belong to this snapshot.
    func state(of member: UpstreamHandle) -> UpstreamState? {
        holds(member) ? upstreams[Int(member.slot)] : nil
    }

    /// Returns the index of a member's configured upstream.
    func index(of member: UpstreamHandle) -> Int { Int(member.slot) }

    /// Requests a new lookup of an upstream's name, off the worker, because a dial failed or the upstream reported
    /// errors.
    func requestRefresh(_ upstream: Int, now: UInt64) {
        if upstreams[upstream].mayRefresh(now: now) { refresh(upstream) }
    }
}
