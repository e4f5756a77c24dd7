/// The calls that make a worker serve a route and follow another plan: the only control calls in which TCP and UDP
/// differ.
struct WorkerOperations<Settings: Sendable>: Sendable {
    let prepare: @Sendable (Worker, RoutePlan<Settings>, SharedRoute, [Listener]) async -> Void
    let replace: @Sendable (Worker, RoutePlan<Settings>, _ route: UInt32) async -> Void
    /// Returns the settings of the route's own listeners; nil for UDP.
    let listenerSettings: @Sendable (Settings) -> ListenerSettings?
    /// Returns whether the route's own listeners may have an address that this machine does not have yet.
    let isFreeBind: @Sendable (Settings) -> Bool
}
