import LinuxIO
import NetworkTypes
import Threading

/// Follows the members that names have. It looks up each source on threads of its own (``LookupPool``) as often as the
/// records' time to live says, one lookup for all watches of a source, and keeps the last good set.
package actor MemberResolver {
    /// The present knowledge of a source.
    package struct News: Equatable, Sendable {
        /// The members of the last successful lookup; nil where none has succeeded yet.
        package var members: ResolvedMembers?
        /// The failure of the last lookup; nil where it succeeded.
        package var failure: AddressLookup.Failure?
        /// The time of the last lookup that succeeded, in seconds since 1970.
        package var lastSuccess: Int?
    }

    /// Receives news in their order, one call at a time. It must not wait for a call of `watch` of the same source.
    package typealias Sink = @Sendable (News) async -> Void

    /// The longest time to live that is heeded, unless `refresh` is longer.
    static let maxTimeToLive = Duration.seconds(30)
    /// The least time between a lookup and the next one.
    static let minRefresh = Duration.seconds(1)

    private struct Watch {
        let refresh: Duration
        let sink: Sink
        /// The number of the news that the sink has; 0 is none.
        var told = 0
    }

    private struct Entry {
        var watches: [Int: Watch] = [:]
        var news = News()
        /// Counts what the sinks are told.
        var newsNumber = 0
        /// Sinks are called in turn.
        let turns = TurnQueue()
        var memory: [String: [SocketAddress]] = [:]
        var standing = LookupSlots.Standing.unknown
        var wake: CheckedContinuation<Void, Never>?
        /// Whether the next lookup is due.
        var isDue = false
    }

    private let lookup: MemberLookup
    private let clock: MonotonicClock
    private let isLocal: @Sendable (String) -> Bool
    private let pool: LookupPool
    private let pause: @Sendable (Duration) async throws -> Void
    private let secondsSince1970: @Sendable () -> Int
    private var entries: [MemberSource: Entry] = [:]
    private var nextWatch = 0

    /// Creates a resolver. `isLocal` says which hosts need no name server; `pause` lets a time pass, or throws when its
    /// task is canceled.
    package init(
        records: any MemberRecords = RecordLookup.system,
        isLocal: @escaping @Sendable (String) -> Bool = { !UpstreamHost($0).isName || HostsFile.contains($0) },
        clock: MonotonicClock = .system, secondsSince1970: @escaping @Sendable () -> Int = { SystemTime.seconds },
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        lookup = MemberLookup(records: records, clock: clock)
        self.clock = clock
        self.isLocal = isLocal
        self.secondsSince1970 = secondsSince1970
        self.pause = pause
        pool = LookupPool()
    }

    /// Calls `sink` with the result of every lookup of a source until ``unwatch(_:of:)``; at once where there is one. A
    /// slow sink may get the latest result only.
    ///
    /// Behind a lookup the next one follows after the records' time to live, which counts as 30 s at most, but not
    /// before `refresh`, which counts as 1 s at least; behind a failure, and where no name server was asked, after
    /// `refresh`. Of several watches the shortest `refresh` counts.
    /// - Returns: the number of the watch.
    package func watch(_ source: MemberSource, refresh: Duration, sink: @escaping Sink) async -> Int {
        nextWatch += 1
        let number = nextWatch
        let isNew = entries[source] == nil
        entries[source, default: Entry()].watches[number] = Watch(refresh: refresh, sink: sink)
        if isNew {
            Task { await self.keepFresh(source) }
        } else {
            // The pause that runs may be longer than this watch wants.
            wake(source)
            await tell(source)
        }
        return number
    }

    /// Ends a watch. The last one of a source ends its lookups.
    package func unwatch(_ watch: Int, of source: MemberSource) {
        entries[source]?.watches[watch] = nil
        if entries[source]?.watches.isEmpty == true { wake(source) }
    }

    private func wake(_ source: MemberSource) {
        entries[source]?.wake?.resume()
        entries[source]?.wake = nil
    }

    // MARK: One source

    private func keepFresh(_ source: MemberSource) async {
        while entries[source]?.watches.isEmpty == false {
            entries[source]?.isDue = false
            let result = await lookUp(source)
            note(result, for: source)
            await tell(source)
            await wait(for: source, (try? result.get())?.timeToLive)
        }
        entries[source] = nil
    }

    /// The time between a lookup and the next one.
    static func delay(refresh: Duration, timeToLive: Duration?) -> Duration {
        max(minRefresh, refresh, min(timeToLive ?? .zero, maxTimeToLive))
    }

    /// Waits until the next lookup is due, or the last watch has ended.
    private func wait(for source: MemberSource, _ timeToLive: Duration?) async {
        let begun = clock.nanoseconds
        // Each new watch begins the pause anew: it may want a shorter one.
        while let entry = entries[source], !entry.isDue, let refresh = entry.watches.values.map(\.refresh).min() {
            let past = Duration.nanoseconds(Int64(clamping: clock.nanoseconds - begun))
            let rest = max(.zero, Self.delay(refresh: refresh, timeToLive: timeToLive) - past)
            let alarm = Task {
                try await pause(rest)
                // One that is canceled late must not end the next pause.
                try Task.checkCancellation()
                self.entries[source]?.isDue = true
                self.wake(source)
            }
            await withCheckedContinuation { entries[source]?.wake = $0 }
            alarm.cancel()
        }
    }

    /// Stores a result, and counts it.
    private func note(_ result: Result<MemberLookup.Answer, AddressLookup.Failure>, for source: MemberSource) {
        guard var entry = entries[source] else { return }
        switch result {
        case .success(let answer):
            entry.news = News(members: answer.members, lastSuccess: secondsSince1970())
            entry.memory = answer.memory
            entry.standing = .answered
        case .failure(let failure):
            entry.news.failure = failure
            entry.standing = failure == .timedOut ? .silent : .unknown
        }
        entry.newsNumber += 1
        entries[source] = entry
    }

    /// Gives the news to the sinks that do not have them yet.
    private func tell(_ source: MemberSource) async {
        guard let turns = entries[source]?.turns else { return }
        await turns.enter()
        defer { turns.leave() }
        for number in entries[source]?.watches.keys.sorted() ?? [] {
            guard let entry = entries[source], let watch = entry.watches[number], watch.told != entry.newsNumber else {
                continue
            }
            entries[source]?.watches[number]?.told = entry.newsNumber
            await watch.sink(entry.news)
        }
    }

    private func lookUp(_ source: MemberSource) async -> Result<MemberLookup.Answer, AddressLookup.Failure> {
        guard let entry = entries[source] else { return .failure(.unavailable) }
        let (lookup, isLocal, memory) = (lookup, isLocal, entry.memory)
        do throws(SystemError) {
            return try await pool.run(
                entry.standing,
                isLocal: { if case .addresses(let host, _) = source { isLocal(host) } else { false } },
                {
                    Result { () throws(AddressLookup.Failure) in try lookup.members(of: source, memory: memory) }
                })
        } catch {
            return .failure(.unavailable)
        }
    }
}
