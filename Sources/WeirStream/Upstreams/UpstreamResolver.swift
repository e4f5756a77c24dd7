import LinuxIO
import NetworkTypes
import Synchronization

/// What is known of a name.
enum NameAnswer: Sendable, Equatable {
    /// Nobody has answered yet.
    case pending
    /// The last good answer, ordered for dialing; never empty.
    case addresses([SocketAddress])
    /// There never was a good answer.
    case unresolvable
}

/// Looks names up off the loops: one cache entry and at most one look-up a name, a bounded number of look-ups at once,
/// again after a while and on request, keeping the last good answer.
actor UpstreamResolver {
    typealias Sink = @Sendable (_ answer: NameAnswer, _ succeeded: Bool) async -> Void

    private struct Entry {
        var answer = NameAnswer.pending
        var sinks: [Int: Sink] = [:]
        var wake: CheckedContinuation<Void, Never>?
        var refreshRequested = false
    }

    private let resolver: any NameResolver
    private let refreshInterval: Duration
    private let shortestInterval: Duration
    private var entries: [String: Entry] = [:]
    private var nextWatch = 0
    private var running = 0
    private var queue: [CheckedContinuation<Void, Never>] = []
    static let maxLookups = 32

    /// Answers are renewed after `refreshInterval`, on request sooner, but never before `shortestInterval`.
    init(resolver: any NameResolver, refreshInterval: Duration, shortestInterval: Duration) {
        self.resolver = resolver
        self.refreshInterval = refreshInterval
        self.shortestInterval = shortestInterval
    }

    /// Keeps `sink` informed about `host` until ``unwatch(_:of:)``. It is told what is known at once.
    func watch(_ host: String, sink: @escaping Sink) async -> Int {
        nextWatch += 1
        let watch = nextWatch
        let isNew = entries[host] == nil
        entries[host, default: Entry()].sinks[watch] = sink
        if isNew {
            Task { await self.keepFresh(host) }
        } else if let answer = entries[host]?.answer, answer != .pending {
            await sink(answer, answer != .unresolvable)
        }
        return watch
    }

    /// Ends a watch. The last one of a name ends its look-ups.
    func unwatch(_ watch: Int, of host: String) {
        entries[host]?.sinks[watch] = nil
        if entries[host]?.sinks.isEmpty == true { wake(host) }
    }

    /// Asks for a fresh answer soon, because a dial failed.
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
            // However many dials fail, a name is not asked more often than this.
            try? await Task.sleep(for: shortestInterval)
            await waitForRequest(host)
        }
        entries[host] = nil
    }

    private func publish(_ result: Result<[SocketAddress], AddressLookup.Failure>, for host: String) async {
        guard var entry = entries[host] else { return }
        var succeeded = false
        if case .success(let addresses) = result, !addresses.isEmpty {
            entry.answer = .addresses(Self.interleave(addresses))
            succeeded = true
        } else if entry.answer == .pending {
            entry.answer = .unresolvable
        }
        entries[host] = entry
        for sink in entry.sinks.values { await sink(entry.answer, succeeded) }
    }

    /// Waits until the answer is old, somebody asks for a new one, or nobody is interested any more.
    private func waitForRequest(_ host: String) async {
        guard let entry = entries[host], !entry.sinks.isEmpty, !entry.refreshRequested else { return }
        let alarm = Task {
            try await Task.sleep(for: refreshInterval)
            self.wake(host)
        }
        await withCheckedContinuation { entries[host]?.wake = $0 }
        alarm.cancel()
    }

    // MARK: Look-ups

    private func lookUp(_ host: String) async -> Result<[SocketAddress], AddressLookup.Failure> {
        // A look-up that ends hands its turn to the first that waits: were it free in between, a newcomer could take it
        // before the one that was woken has run, and both would go on.
        if running < Self.maxLookups {
            running += 1
        } else {
            await withCheckedContinuation { queue.append($0) }
        }
        defer { if queue.isEmpty { running -= 1 } else { queue.removeFirst().resume() } }
        let resolver = resolver
        return await withCheckedContinuation { continuation in
            do {
                // A thread of its own: getaddrinfo blocks for as long as the network likes.
                try Thread.start {
                    let result: Result<[SocketAddress], AddressLookup.Failure>
                    do throws(AddressLookup.Failure) {
                        result = .success(try resolver.resolve(host))
                    } catch {
                        result = .failure(error)
                    }
                    continuation.resume(returning: result)
                }
            } catch {
                continuation.resume(returning: .failure(.unavailable))
            }
        }
    }

    /// Alternates the families, beginning with that of the best address (RFC 8305 section 4).
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
