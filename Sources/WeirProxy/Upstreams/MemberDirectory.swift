import LinuxIO
import NetworkTypes
import Threading
import WeirConfiguration
import WeirStream

/// The members that the names of routes have: follows their records, and tells of every lookup.
actor MemberDirectory {
    /// The end of one lookup.
    struct Lookup: Sendable {
        let source: MemberSource
        /// Nil where it succeeded.
        let failure: AddressLookup.Failure?
        /// Whether the lookup before had the other outcome, or there was none.
        let isTurn: Bool
        /// The members that the source had before, and those that it has now; nil where they are the same.
        let change: (old: ResolvedMembers?, new: ResolvedMembers)?
    }

    private struct Watch {
        let refresh: Duration
        /// Told apart from watches of the same source that have ended.
        let number: Int
        /// Nil until the resolver has given it.
        var resolverNumber: Int?
        var failure: AddressLookup.Failure?
        var hasResult = false
    }

    /// The lookups. One task reads them; of those that it cannot read in time the oldest are dropped.
    nonisolated let lookups: AsyncStream<Lookup>
    private nonisolated let tell: AsyncStream<Lookup>.Continuation
    private nonisolated let found = Lock<KnownMembers>([:])
    private let resolver = MemberResolver()
    private var watches: [MemberSource: Watch] = [:]
    private var nextNumber = 0
    private var waiting: [Int: (sources: Set<MemberSource>, continuation: CheckedContinuation<Void, Never>)] = [:]

    private static let maxUnreadLookups = 4_096
    /// The longest wait for the first results of new names.
    static let maxFirstWait = Duration.seconds(1)

    init() {
        (lookups, tell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.maxUnreadLookups))
    }

    /// The members that are known now. Any thread.
    nonisolated var known: KnownMembers { found.withLock { $0 } }

    /// Follows the names of these routes, and no others. Returns when each new one has a result, so that its first
    /// clients find members, or after ``maxFirstWait``.
    func follow(_ routes: [RouteConfiguration]) async {
        var wanted: [MemberSource: Duration] = [:]
        for route in routes {
            for source in route.memberSources.compactMap(\.self) {
                wanted[source] = min(wanted[source] ?? route.names.refresh, route.names.refresh)
            }
        }
        for (source, watch) in watches where wanted[source] != watch.refresh {
            watches[source] = nil
            if let number = watch.resolverNumber { await resolver.unwatch(number, of: source) }
        }
        found.withLock { found in found = found.filter { wanted[$0.key] != nil } }
        var new: Set<MemberSource> = []
        for (source, refresh) in wanted where watches[source] == nil {
            if known[source] == nil { new.insert(source) }
            await begin(source, refresh: refresh)
        }
        await waitForResults(of: new)
    }

    /// Ends all lookups.
    func stop() async {
        await follow([])
        tell.finish()
    }

    private func begin(_ source: MemberSource, refresh: Duration) async {
        nextNumber += 1
        let number = nextNumber
        watches[source] = Watch(refresh: refresh, number: number)
        let resolverNumber = await resolver.watch(source, refresh: refresh) { [weak self] news in
            await self?.lookedUp(source, news, watch: number)
        }
        guard watches[source]?.number == number else {
            // It has ended meanwhile.
            await resolver.unwatch(resolverNumber, of: source)
            return
        }
        watches[source]?.resolverNumber = resolverNumber
    }

    private func lookedUp(_ source: MemberSource, _ news: MemberResolver.News, watch number: Int) {
        guard var watch = watches[source], watch.number == number else { return }
        let isTurn = !watch.hasResult || (watch.failure == nil) != (news.failure == nil)
        watch.failure = news.failure
        watch.hasResult = true
        watches[source] = watch
        let change = found.withLock { found -> (old: ResolvedMembers?, new: ResolvedMembers)? in
            guard let new = news.members, found[source] != new else { return nil }
            defer { found[source] = new }
            return (found[source], new)
        }
        tell.yield(Lookup(source: source, failure: news.failure, isTurn: isTurn, change: change))
        for (wait, entry) in waiting where entry.sources.contains(source) {
            waiting[wait]?.sources.remove(source)
            if waiting[wait]?.sources.isEmpty == true { endWait(wait) }
        }
    }

    // MARK: First results

    private func waitForResults(of sources: Set<MemberSource>) async {
        let missing = sources.filter { watches[$0]?.hasResult == false }
        if missing.isEmpty { return }
        nextNumber += 1
        let wait = nextNumber
        let alarm = Task {
            try await Task.sleep(for: Self.maxFirstWait)
            self.endWait(wait)
        }
        await withCheckedContinuation { waiting[wait] = (missing, $0) }
        alarm.cancel()
    }

    private func endWait(_ wait: Int) { waiting.removeValue(forKey: wait)?.continuation.resume() }
}
