import NetworkTypes
import WeirConfiguration
import WeirStream

/// The work of a reload, by listener. A pure function of the routes that run and those that are wanted.
struct ReloadPlan: Equatable {
    /// A wanted route at its listener.
    struct Entry: Equatable {
        let key: ListenerKey
        let route: RouteConfiguration
        /// The route with the members that its names have.
        let served: RouteConfiguration

        init(key: ListenerKey, route: RouteConfiguration, members: KnownMembers = [:]) {
            self.key = key
            self.route = route
            served = route.served(with: members)
        }
    }

    /// Nothing about them changes.
    private(set) var kept: [Entry] = []
    /// The same sockets, with another name, upstream or settings.
    private(set) var updated: [Entry] = []
    /// New sockets.
    private(set) var added: [Entry] = []
    /// The sockets that no route needs any more.
    private(set) var removed: [ListenerKey] = []

    /// Compares; the order of the file is kept, removals are in the order of their listeners' text.
    /// - Parameters:
    ///   - affectsAll: whether something outside of the routes has changed that all of them follow.
    ///   - members: those that names have.
    /// - Throws: ``ProxyError/route(_:_:)`` for a route whose address the engine does not take.
    init(
        running: [ListenerKey: RouteConfiguration], wanted: [RouteConfiguration], affectsAll: Bool = false,
        members: KnownMembers = [:]
    ) throws(ProxyError) {
        var gone = running
        for route in wanted {
            let key: ListenerKey
            do throws(EndpointError) {
                key = ListenerKey(try route.listenAddress)
            } catch {
                throw .route(route.name, StreamError(error))
            }
            let entry = Entry(key: key, route: route, members: members)
            switch gone.removeValue(forKey: key) {
            case nil: added.append(entry)
            case route where !affectsAll: kept.append(entry)
            default: updated.append(entry)
            }
        }
        removed = gone.keys.sorted { $0.description < $1.description }
    }

    /// Whether there is nothing to do.
    var isEmpty: Bool { updated.isEmpty && added.isEmpty && removed.isEmpty }

    /// Whether a new listener overlaps a removed one, and so can only be bound by joining it (`SO_REUSEPORT`).
    func mustJoin(_ entry: Entry) -> Bool {
        removed.contains { $0.overlaps(entry.key) }
    }
}
