import LinuxIO
import NetworkTypes
import Threading
import WeirBalance
import WeirConfiguration
import WeirMetrics
import WeirStream

/// The sets of upstreams of all routes. A set lives as long as there is a route of its name and transport, so that the
/// state of its upstreams outlives reloads. Safe from any thread.
final class UpstreamSets: Sendable {
    /// The route of a set.
    struct Key: Hashable, Sendable {
        let route: String
        let transport: Transport

        init(_ route: RouteConfiguration) {
            self.route = route.name
            transport = route.transport
        }
    }

    /// Something that has happened to an upstream, and that is acted on off the workers.
    enum News: Sendable {
        case changed(Key, MemberStateChange)
        /// A connection to the member must tell whether it or a client broke the last one.
        case suspected(Key, member: String)
    }

    /// The news of all sets. One task reads them; those that it cannot read in time are dropped, the oldest first.
    let news: AsyncStream<News>
    private let tell: AsyncStream<News>.Continuation
    private let sets = Lock<[Key: RouteSet]>([:])
    /// Sets with the same members share a table of their places.
    private let tables = MaglevTables()

    private static let maxUnreadNews = 16_384

    init() {
        (news, tell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.maxUnreadNews))
    }

    /// Returns the maker of the selectors of a route; nil where it needs no policy.
    /// - Throws: ``BalanceError`` for upstreams that no file can say.
    func selector(
        for route: RouteConfiguration, _ registry: MetricsRegistry
    ) throws(BalanceError) -> StreamHooks.MakeSelector? {
        guard route.hasSet else { return nil }
        let key = Key(route)
        let now = MonotonicClock.system.nanoseconds
        if let known = sets.withLock({ $0[key] }) { return try known.update(route, now: now) }
        let made = try RouteSet(route, registry: registry, tables: tables, tell: tell, now: now)
        sets.withLock { $0[key] = made }
        return made.set.makeSelector()
    }

    /// Forgets the sets of routes that are gone, or need none any more.
    func forget(except routes: some Sequence<RouteConfiguration>) {
        let kept = Set(routes.filter(\.hasSet).map(Key.init))
        let gone = sets.withLock { sets in
            let gone = sets.filter { !kept.contains($0.key) }
            for key in gone.keys { sets[key] = nil }
            return gone
        }
        for set in gone.values { set.retire() }
    }

    /// Ends the news.
    func close() { tell.finish() }

    /// Shows the state of every upstream in the metrics, and notices ejections that are over.
    func refresh() {
        let now = MonotonicClock.system.nanoseconds
        for set in sets.withLock({ Array($0.values) }) { set.refresh(now: now) }
    }

    /// Notices ejections that are over, and tells of them.
    func advance() {
        let now = MonotonicClock.system.nanoseconds
        for set in sets.withLock({ Array($0.values) }) { set.set.advance(now: now) }
    }

    /// The set of a route; nil where it has none.
    func set(_ key: Key) -> UpstreamSet? { sets.withLock { $0[key]?.set } }
}
