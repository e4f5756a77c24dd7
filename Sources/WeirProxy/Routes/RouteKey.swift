import NetworkTypes
import WeirConfiguration

/// The identity of a running route over reloads: its listener, and its name where several routes share the listener.
/// Another name at a listener of its own is the same route with another name.
struct RouteKey: Hashable, Sendable {
    let listener: ListenerKey
    /// Nil where the route has the listener to itself.
    let name: String?
}

/// A listener whose clients are told apart by their first bytes.
struct SharedListenerPlan: Equatable {
    let key: ListenerKey
    /// Its routes, in the order of the file; at least one.
    var entries: [ReloadPlan.Entry]

    /// A route that tells its settings: all routes agree on them.
    var first: RouteConfiguration { entries[0].route }
}
