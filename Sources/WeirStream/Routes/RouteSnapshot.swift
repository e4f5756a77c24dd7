import LinuxIO

/// The plan of a route as a worker keeps it. It lives as long as anything that began under it, so that a change applies to
/// new connections and sessions. Confined to the worker.
final class RouteSnapshot<Settings: Sendable> {
    /// The name and the configured upstreams, shared by every context.
    let identity: RouteIdentity
    let settings: Settings
    let hooks: StreamHooks
    let upstreams: [UpstreamState]
    /// The policy that chooses among them, with what it remembers on this worker.
    let selector: any UpstreamSelector
    /// Which of the route's configurations this is; answers for another one are ignored.
    let generation: Int
    let refresh: @Sendable (_ upstream: Int) -> Void

    /// The upstreams that the plan has in common with `previous` stay the same objects: what is known of their names
    /// goes on, and owners that wait for one under the old plan are told under the new one.
    init(_ plan: RoutePlan<Settings>, worker: Int, previous: RouteSnapshot? = nil) {
        identity = RouteIdentity(name: plan.name, upstreams: plan.upstreams)
        settings = plan.settings
        hooks = plan.hooks
        upstreams = plan.upstreams.map { upstream in
            previous?.upstreams.first { $0.upstream == upstream } ?? UpstreamState(upstream)
        }
        let members = plan.upstreams.enumerated().map { slot, upstream in
            UpstreamMember(handle: Self.handle(slot, plan.generation), upstream: upstream)
        }
        selector = plan.hooks.makeSelector?(members, worker) ?? FirstSelector(members.map(\.handle))
        generation = plan.generation
        refresh = plan.refresh
    }

    var observer: (any StreamObserver)? { hooks.observer }
    var configuredUpstreams: [Upstream] { identity.upstreams }

    // MARK: Members

    // A member is a configured upstream, and stands at the index of that.
    private static func handle(_ slot: Int, _ generation: Int) -> UpstreamHandle {
        UpstreamHandle(slot: UInt32(slot), generation: UInt32(truncatingIfNeeded: generation))
    }

    /// The member that stands for a configured upstream; nil where there is no such upstream.
    func handle(ofUpstream index: Int) -> UpstreamHandle? {
        upstreams.indices.contains(index) ? Self.handle(index, generation) : nil
    }

    /// Whether a handle names a member of this route.
    func holds(_ member: UpstreamHandle) -> Bool {
        member.generation == UInt32(truncatingIfNeeded: generation) && Int(member.slot) < upstreams.count
    }

    /// The state of a member; nil where the handle is not one of this route's.
    func state(of member: UpstreamHandle) -> UpstreamState? {
        holds(member) ? upstreams[Int(member.slot)] : nil
    }

    /// The configured upstream that a member of this route belongs to.
    func index(of member: UpstreamHandle) -> Int { Int(member.slot) }

    /// A dial failed or an upstream reported errors: ask for its name again, off the worker.
    func requestRefresh(_ upstream: Int, now: UInt64) {
        if upstreams[upstream].mayRefresh(now: now) { refresh(upstream) }
    }
}
