import NetworkTypes
import WeirConfiguration
import WeirStream

/// The work of a reload: which running route goes on as which wanted one, what is new and what is gone. A pure function
/// of the routes that run and those that are wanted.
struct ReloadPlan: Equatable {
    /// A wanted route, and the listeners that it has.
    struct Entry: Equatable {
        let route: RouteConfiguration
        /// The route with the members that its names have.
        let served: RouteConfiguration
        /// Its own listeners. Those that it has already are told by the address under which they were bound.
        let listen: [StreamListener]
        /// The listeners that it shares with other routes.
        let shared: Set<ListenerKey>
        /// The running route that goes on as this one; nil for a new one.
        var previous: RouteKey?
        /// The own listeners of that one that are not wanted any more.
        var dropped: [StreamListener] = []

        init(
            _ route: RouteConfiguration, listen: [StreamListener], shared: Set<ListenerKey>,
            members: KnownMembers = [:]
        ) {
            self.route = route
            self.listen = listen
            self.shared = shared
            served = route.served(with: members)
        }

        var key: RouteKey { RouteKey(route) }
    }

    /// Nothing about them changes.
    private(set) var kept: [Entry] = []
    /// Routes that run already: with another name, upstream, setting or listener.
    private(set) var updated: [Entry] = []
    /// Routes of which nothing runs.
    private(set) var added: [Entry] = []
    /// The routes that are not wanted any more.
    private(set) var removed: [RouteKey] = []
    /// The listeners that several routes share, or may share.
    private(set) var shared: [SharedListenerPlan] = []
    /// The shared listeners that are not wanted any more.
    private(set) var removedShared: [ListenerKey] = []
    private var newShared: Set<ListenerKey> = []
    /// The listeners that are given up.
    private var givenUp = ListenerIndex()
    /// The addresses that are taken.
    private var taken = ListenerIndex()

    /// Compares; the order of the file is kept.
    /// - Parameters:
    ///   - running: the routes that run, as they were wanted then.
    ///   - runningShared: the shared listeners that serve.
    ///   - affectsAll: whether something outside of the routes has changed that all of them follow.
    ///   - members: those that names have.
    ///   - leaving: removed listeners whose sockets are still open.
    /// - Throws: ``ProxyError/route(_:_:)`` for a route whose address the engine does not take.
    init(
        running: [RouteKey: Entry], runningShared: Set<ListenerKey> = [], wanted: [RouteConfiguration],
        affectsAll: Bool = false, members: KnownMembers = [:], leaving: [ListenAddress] = []
    ) throws(ProxyError) {
        let wants = try Self.wants(wanted)
        let choosing = Set(wants.filter { $0.route.choosesClients }.flatMap { $0.listeners.map(\.key) })
        let matches = Self.matches(wants, running, choosing)
        var gone = running
        for (index, want) in wants.enumerated() {
            let previous = matches[index]
            let before = previous.flatMap { gone.removeValue(forKey: $0) }
            var entry = want.entry(choosing: choosing, before: before, members)
            entry.previous = previous
            if let before {
                let kept = Set(entry.listen.map(\.address))
                entry.dropped = before.listen.filter { !kept.contains($0.address) }
                for listener in entry.dropped { givenUp.insert(ListenerKey(listener.address)) }
            }
            note(entry, before, affectsAll: affectsAll)
            for (listener, key) in want.listeners where choosing.contains(key) { share(entry, listener, key) }
        }
        removed = gone.keys.sorted()
        removedShared = runningShared.subtracting(choosing).sorted { $0.description < $1.description }
        newShared = choosing.subtracting(runningShared)
        for listener in gone.values.flatMap(\.listen) { givenUp.insert(ListenerKey(listener.address)) }
        for key in removedShared { givenUp.insert(key) }
        for address in leaving { givenUp.insert(ListenerKey(address)) }
    }

    private mutating func note(_ entry: Entry, _ before: Entry?, affectsAll: Bool) {
        guard let before else {
            added.append(entry)
            for listener in entry.listen { taken.insert(ListenerKey(listener.address)) }
            return
        }
        let known = Set(before.listen.map(\.address))
        for listener in entry.listen where !known.contains(listener.address) {
            taken.insert(ListenerKey(listener.address))
        }
        let isSame = before.route == entry.route && before.listen == entry.listen && before.shared == entry.shared
        if isSame, !affectsAll { kept.append(entry) } else { updated.append(entry) }
    }

    private mutating func share(_ entry: Entry, _ listener: StreamListener, _ key: ListenerKey) {
        let member = SharedListenerPlan.Member(entry: entry, portShift: listener.portShift)
        if let index = shared.firstIndex(where: { $0.key == key }) {
            shared[index].members.append(member)
        } else {
            shared.append(SharedListenerPlan(key: key, listen: listener.address, members: [member]))
        }
    }

    /// Whether there is nothing to do.
    var isEmpty: Bool { updated.isEmpty && added.isEmpty && removed.isEmpty }

    /// Whether a shared listener is not bound yet.
    func isNew(_ listener: SharedListenerPlan) -> Bool { newShared.contains(listener.key) }

    /// Whether a new listener overlaps one that is given up, and so can only be bound by joining it (`SO_REUSEPORT`).
    func mustJoin(_ listener: ListenerKey) -> Bool { givenUp.overlaps(listener) }

    /// The addresses of an entry that ``mustJoin(_:)`` is true for.
    func joining(_ entry: Entry) -> Set<ListenAddress> {
        Set(entry.listen.map(\.address).filter { mustJoin(ListenerKey($0)) })
    }

    /// Whether another route takes the address of a listener that is given up.
    func isTakenOver(_ address: ListenAddress) -> Bool { taken.overlaps(ListenerKey(address)) }
}

// MARK: Matching

extension ReloadPlan {
    /// A wanted route with all its listeners.
    fileprivate struct Want {
        let route: RouteConfiguration
        let listeners: [(listener: StreamListener, key: ListenerKey)]

        func entry(choosing: Set<ListenerKey>, before: Entry?, _ members: KnownMembers) -> Entry {
            // The network may be written otherwise for the very same socket.
            let bound = Dictionary(
                (before?.listen ?? []).map { (ListenerKey($0.address), $0.address) }, uniquingKeysWith: { $1 })
            let own = listeners.filter { !choosing.contains($0.key) }.map { listener, key in
                StreamListener(bound[key] ?? listener.address, portShift: listener.portShift)
            }
            return Entry(
                route, listen: own, shared: Set(listeners.map(\.key).filter(choosing.contains)), members: members)
        }
    }

    fileprivate static func wants(_ wanted: [RouteConfiguration]) throws(ProxyError) -> [Want] {
        var wants: [Want] = []
        for route in wanted {
            do throws(EndpointError) {
                let listeners = try route.listeners
                wants.append(Want(route: route, listeners: listeners.map { ($0, ListenerKey($0.address)) }))
            } catch {
                throw .route(route.name, StreamError(error))
            }
        }
        return wants
    }

    /// Which running route goes on as which wanted one: the one of that name that has one of its listeners, else one
    /// that has one of its listeners, else the one of that name.
    fileprivate static func matches(
        _ wants: [Want], _ running: [RouteKey: Entry], _ choosing: Set<ListenerKey>
    ) -> [Int: RouteKey] {
        var owners: [ListenerKey: RouteKey] = [:]
        var sharers: [ListenerKey: Set<RouteKey>] = [:]
        for (key, entry) in running {
            for listener in entry.listen { owners[ListenerKey(listener.address)] = key }
            for listener in entry.shared { sharers[listener, default: []].insert(key) }
        }
        var matches: [Int: RouteKey] = [:]
        var free = Set(running.keys)
        func match(_ find: (Want) -> RouteKey?) {
            for (index, want) in wants.enumerated() where matches[index] == nil {
                guard let found = find(want), free.remove(found) != nil else { continue }
                matches[index] = found
            }
        }
        match { want in
            let key = RouteKey(want.route)
            let hasOne = want.listeners.contains {
                owners[$0.key] == key || sharers[$0.key]?.contains(key) ?? false
            }
            return hasOne ? key : nil
        }
        match { want in
            let own = want.listeners.lazy.filter { !choosing.contains($0.key) }
            return own.compactMap { owners[$0.key] }.first { free.contains($0) }
        }
        match { want in free.contains(RouteKey(want.route)) ? RouteKey(want.route) : nil }
        return matches
    }
}

/// Listeners by transport and port, because only those can overlap.
private struct ListenerIndex: Equatable {
    private struct Group: Hashable {
        let transport: Transport
        let port: UInt16
    }

    private var groups: [Group: [ListenerKey]] = [:]

    mutating func insert(_ key: ListenerKey) {
        groups[Group(transport: key.transport, port: key.port), default: []].append(key)
    }

    func overlaps(_ key: ListenerKey) -> Bool {
        groups[Group(transport: key.transport, port: key.port)]?.contains { $0.overlaps(key) } ?? false
    }
}

/// A listener whose clients are told apart by their first bytes.
struct SharedListenerPlan: Equatable {
    /// A route at the listener.
    struct Member: Equatable {
        let entry: ReloadPlan.Entry
        /// The number that the listener adds to the ports of the route's upstreams.
        let portShift: UInt16
    }

    let key: ListenerKey
    let listen: ListenAddress
    /// Its routes, in the order of the file; at least one.
    var members: [Member]

    /// A route that tells its settings: all routes agree on them.
    var first: RouteConfiguration { members[0].entry.route }
}
