import NetworkTypes

/// A configuration of a route, as it is sent to the workers. Each creates a ``RouteSnapshot`` from it.
struct RoutePlan<Settings: Sendable>: Sendable {
    let name: String
    let upstreams: [Upstream]
    let settings: Settings
    let hooks: StreamHooks
    let generation: Int
    let refresh: @Sendable (_ upstream: Int) -> Void
}
