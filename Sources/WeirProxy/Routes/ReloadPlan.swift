import NetworkTypes
import WeirConfiguration
import WeirStream

/// The work of a reload, by listener. A pure function of the routes that run and those that are wanted.
struct ReloadPlan: Equatable {
    /// A wanted route at its listener.
    struct Entry: Equatable {
        let key: RouteKey
        let route: RouteConfiguration
        /// The route with the members that its names have.
        let served: RouteConfiguration

        init(key: RouteKey, route: RouteConfiguration, members: KnownMembers = [:]) {
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
    /// The routes that are not wanted any more.
    private(set) var removed: [RouteKey] = []
    /// The listeners that several routes share, or may share.
    private(set) var shared: [SharedListenerPlan] = []
    /// The shared listeners that are not wanted any more.
    private(set) var removedShared: [ListenerKey] = []
    private var newShared: Set<ListenerKey> = []

    /// Compares; the order of the file is kept, removals are in the order of their listeners' text.
    /// - Parameters:
    ///   - runningShared: the shared listeners that serve.
    ///   - affectsAll: whether something outside of the routes has changed that all of them follow.
    ///   - members: those that names have.
    /// - Throws: ``ProxyError/route(_:_:)`` for a route whose address the engine does not take.
    init(
        running: [RouteKey: RouteConfiguration], runningShared: Set<ListenerKey> = [], wanted: [RouteConfiguration],
        affectsAll: Bool = false,
        members: KnownMembers = [:]
    ) throws(ProxyError) {
        var listeners: [ListenerKey] = []
        for route in wanted {
            do throws(EndpointError) {
                listeners.append(ListenerKey(try route.listenAddress))
            } catch {
                throw .route(route.name, StreamError(error))
            }
        }
        let choosing = Set(zip(wanted, listeners).filter { !$0.0.claims.isRest }.map(\.1))
        var gone = running
        for (route, listener) in zip(wanted, listeners) {
            let isShared = choosing.contains(listener)
            let key = RouteKey(listener: listener, name: isShared ? route.name : nil)
            let entry = Entry(key: key, route: route, members: members)
            switch gone.removeValue(forKey: key) {
            case nil: added.append(entry)
            case route where !affectsAll: kept.append(entry)
            default: updated.append(entry)
            }
            if isShared { share(entry) }
        }
        removed = gone.keys.sorted {
            ($0.listener.description, $0.name ?? "") < ($1.listener.description, $1.name ?? "")
        }
        removedShared = runningShared.subtracting(choosing).sorted { $0.description < $1.description }
        newShared = choosing.subtracting(runningShared)
    }

    private mutating func share(_ entry: Entry) {
        if let index = shared.firstIndex(where: { $0.key == entry.key.listener }) {
            shared[index].entries.append(entry)
        } else {
            shared.append(SharedListenerPlan(key: entry.key.listener, entries: [entry]))
        }
    }

    /// Whether there is nothing to do.
    var isEmpty: Bool { updated.isEmpty && added.isEmpty && removed.isEmpty }

    /// Whether a shared listener is not bound yet.
    func isNew(_ listener: SharedListenerPlan) -> Bool { newShared.contains(listener.key) }

    /// Whether a new listener overlaps a removed one, and so can only be bound by joining it (`SO_REUSEPORT`).
    func mustJoin(_ listener: ListenerKey) -> Bool {
        removedShared.contains { $0.overlaps(listener) }
            || removed.contains { $0.name == nil && $0.listener.overlaps(listener) }
    }

    /// Whether a removed route goes on under the same name at the same listener, which it shares now, or no longer: its
    /// connections may stay.
    func goesOn(_ key: RouteKey, _ route: RouteConfiguration) -> Bool {
        added.contains { $0.key.listener == key.listener && $0.route.name == route.name }
    }
}

/// A listener whose clients are told apart by their first bytes.
struct SharedListenerPlan: Equatable {
    let key: ListenerKey
    /// Its routes, in the order of the file; at least one.
    var entries: [ReloadPlan.Entry]

    /// A route that tells its settings: all routes agree on them.
    var first: RouteConfiguration { entries[0].route }
}
