import NetworkTypes

/// A configuration of a route, as it is sent to the workers. Each creates a ``RouteSnapshot`` from it.
struct RoutePlan<Settings: Sendable>: Sendable {
    let name: String
    let upstreams: [Upstream]
    /// The shifts of listeners that have one (``StreamListener/portShift``), by the listener's number.
    let portShifts: [UInt32: UInt16]
    let settings: Settings
    let hooks: StreamHooks
    let generation: Int
    let refresh: @Sendable (_ upstream: Int) -> Void
}
