import LinuxIO

/// What a worker's part of a stream does with a new connection or session: a snapshot that lives as long as anything
/// that began under it, so that a change applies to new ones. Confined to the worker.
final class StreamRoute<Settings: Sendable> {
    let name: String
    let settings: Settings
    let hooks: StreamHooks
    let upstreams: [UpstreamState]
    /// The configured upstreams, shared by every context.
    let configuredUpstreams: [Upstream]
    /// Which of the stream's configurations this is; answers for another one are ignored.
    let generation: Int
    let refresh: @Sendable (_ upstream: Int) -> Void

    /// The upstreams that the plan has in common with `previous` stay the same objects: what is known of their names
    /// goes on, and whoever waits for one under the old plan is told under the new one.
    init(_ plan: StreamPlan<Settings>, previous: StreamRoute? = nil) {
        name = plan.name
        settings = plan.settings
        hooks = plan.hooks
        configuredUpstreams = plan.upstreams
        upstreams = plan.upstreams.map { upstream in
            previous?.upstreams.first { $0.upstream == upstream } ?? UpstreamState(upstream)
        }
        generation = plan.generation
        refresh = plan.refresh
    }

    var observer: (any StreamObserver)? { hooks.observer }

    /// A dial failed or an upstream reported errors: ask for its name again, off the worker.
    func requestRefresh(_ upstream: Int, now: UInt64) {
        if upstreams[upstream].mayRefresh(now: now) { refresh(upstream) }
    }
}

/// A ``StreamRoute`` on its way to the workers.
struct StreamPlan<Settings: Sendable>: Sendable {
    let name: String
    let upstreams: [Upstream]
    let settings: Settings
    let hooks: StreamHooks
    let generation: Int
    let refresh: @Sendable (_ upstream: Int) -> Void
}
