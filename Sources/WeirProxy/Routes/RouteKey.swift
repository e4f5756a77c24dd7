import NetworkTypes

/// The identity of a running route over reloads: its listener, and its name where several routes share the listener.
/// Another name at a listener of its own is the same route with another name.
struct RouteKey: Hashable, Sendable {
    let listener: ListenerKey
    /// Nil where the route has the listener to itself.
    let name: String?
}
