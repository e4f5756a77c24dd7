/// How a worker is told to serve a route, and to follow another plan: the one thing that TCP and UDP do apart.
struct WorkerOperations<Settings: Sendable>: Sendable {
    let prepare: @Sendable (Worker, RoutePlan<Settings>, SharedRoute, [Listener]) async -> Void
    let replace: @Sendable (Worker, RoutePlan<Settings>, _ route: UInt32) async -> Void
    /// The settings of listeners that the route has for itself; nil for UDP.
    let listenerSettings: @Sendable (Settings) -> ListenerSettings?
}
