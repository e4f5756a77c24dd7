import NetworkTypes

/// A configuration of a route on its way to the workers, which make a ``RouteSnapshot`` of it.
struct RoutePlan<Settings: Sendable>: Sendable {
    let name: String
    let upstreams: [Upstream]
    let settings: Settings
    let hooks: StreamHooks
    let generation: Int
    let refresh: @Sendable (_ upstream: Int) -> Void
}
