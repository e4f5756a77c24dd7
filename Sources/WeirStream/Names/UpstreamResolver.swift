import LinuxIO
import NetworkTypes
import Synchronization

/// The known addresses of a name.
enum NameAnswer: Sendable, Equatable {
    /// The first lookup has not ended yet.
    case pending
    /// The addresses of the last successful lookup, ordered for dialing; never empty.
    case addresses([SocketAddress])
    /// No lookup has succeeded yet; the failure is that of the last one.
    case unresolvable(AddressLookup.Failure)
}

extension NameAnswer {
    fileprivate var hasAddresses: Bool { if case .addresses = self { true } else { false } }

    /// The failure of a name without addresses.
    fileprivate var failure: AddressLookup.Failure? {
        if case .unresolvable(let failure) = self { failure } else { nil }
    }
}

/// Looks up names in a ``LookupPool``. It has one cache entry and at most one lookup per name. It repeats a lookup
/// after an interval and on request, and keeps the addresses of the last success.
actor UpstreamResolver {
    /// Receives a result: the addresses that are known now, and the failure of the lookup, nil where it succeeded.
    typealias Sink = @Sendable (_ answer: NameAnswer, _ failure: AddressLookup.Failure?) async -> Void

    private struct Entry {
        var answer = NameAnswer.pending
        var sinks: [Int: Sink] = [:]
        var wake: CheckedContinuation<Void, Never>?
        var refreshRequested = false
        var standing = LookupSlots.Standing.unknown
    }

    private let resolver: any NameResolver
    private let refreshInterval: Duration
    private let minInterval: Duration
    private var entries: [String: Entry] = [:]
    private var nextWatch = 0
    private let isLocal: @Sendable (String) -> Bool
    private let pool: LookupPool

    /// Creates a resolver that repeats a lookup after `refreshInterval`; on request earlier, but not before
    /// `minInterval`. `isLocal` says which names need no name server; a lookup that takes longer than `slowAfter` makes
    /// room for another one.
    init(
        resolver: any NameResolver, refreshInterval: Duration, minInterval: Duration,
        isLocal: @escaping @Sendable (String) -> Bool = { HostsFile.contains($0) }, slowAfter: Duration = .seconds(1)
    ) {
        self.isLocal = isLocal
        pool = LookupPool(slowAfter: slowAfter)
        self.resolver = resolver
        self.refreshInterval = refreshInterval
        self.minInterval = minInterval
    }

    /// Calls `sink` with every result for `host` until ``unwatch(_:of:)``, and at once where one is known. Returns the
    /// number of the watch.
    func watch(_ host: String, sink: @escaping Sink) async -> Int {
        nextWatch += 1
        let watch = nextWatch
        let isNew = entries[host] == nil
        entries[host, default: Entry()].sinks[watch] = sink
        if isNew {
            Task { await self.keepFresh(host) }
        } else if let answer = entries[host]?.answer, answer != .pending {
            await sink(answer, answer.failure)
        }
        return watch
    }

    /// Ends a watch. The last one of a name ends its lookups.
    func unwatch(_ watch: Int, of host: String) {
        entries[host]?.sinks[watch] = nil
        if entries[host]?.sinks.isEmpty == true { wake(host) }
    }

    /// Requests a lookup before the interval has passed, because a dial failed.
    func refresh(_ host: String) {
        entries[host]?.refreshRequested = true
        wake(host)
    }

    private func wake(_ host: String) {
        entries[host]?.wake?.resume()
        entries[host]?.wake = nil
    }

    // MARK: One name

    private func keepFresh(_ host: String) async {
        while entries[host]?.sinks.isEmpty == false {
            entries[host]?.refreshRequested = false
            await publish(await lookUp(host), for: host)
            // Failed dials cannot request lookups more often than this.
            try? await Task.sleep(for: minInterval)
            await waitForRequest(host)
        }
        entries[host] = nil
    }

    private func publish(_ result: Result<[SocketAddress], AddressLookup.Failure>, for host: String) async {
        guard var entry = entries[host] else { return }
        var failure: AddressLookup.Failure?
        switch result {
        case .success(let addresses) where !addresses.isEmpty: entry.answer = .addresses(Self.interleave(addresses))
        case .success: failure = .notFound
        case .failure(let reason): failure = reason
        }
        entry.standing = failure == nil ? .answered : failure == .timedOut ? .silent : .unknown
        if let failure, !entry.answer.hasAddresses { entry.answer = .unresolvable(failure) }
        entries[host] = entry
        for sink in entry.sinks.values { await sink(entry.answer, failure) }
    }

    /// Waits until the interval has passed, a lookup is requested, or the last watch has ended.
    private func waitForRequest(_ host: String) async {
        guard let entry = entries[host], !entry.sinks.isEmpty, !entry.refreshRequested else { return }
        let alarm = Task {
            try await Task.sleep(for: refreshInterval)
            self.wake(host)
        }
        await withCheckedContinuation { entries[host]?.wake = $0 }
        alarm.cancel()
    }

    // MARK: Lookups

    /// Looks a name up now, with its standing if it is watched.
    func lookUp(_ host: String) async -> Result<[SocketAddress], AddressLookup.Failure> {
        let (resolver, isLocal) = (resolver, isLocal)
        do throws(SystemError) {
            return try await pool.run(entries[host]?.standing ?? .unknown, isLocal: { isLocal(host) }) {
                Result { () throws(AddressLookup.Failure) in try resolver.resolve(host) }
            }
        } catch {
            return .failure(.unavailable)
        }
    }

    /// Alternates the address families, beginning with that of the preferred address (RFC 8305 section 4).
    static func interleave(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        let preferred = addresses.filter { $0.ip.isIPv4 == first.ip.isIPv4 }
        let other = addresses.filter { $0.ip.isIPv4 != first.ip.isIPv4 }
        var result: [SocketAddress] = []
        for index in 0..<max(preferred.count, other.count) {
            if index < preferred.count { result.append(preferred[index]) }
            if index < other.count { result.append(other[index]) }
        }
        return result
    }
}
