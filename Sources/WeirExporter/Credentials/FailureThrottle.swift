import LinuxIO

/// How often a source may be wrong: ten times at once, then once a second. Who was right before is not asked.
struct FailureThrottle {
    private static let burst: UInt64 = 10
    private static let interval: UInt64 = 1_000_000_000
    /// Sources that are remembered.
    static let mostSources = 256

    /// When each source owes nothing any more, in nanoseconds.
    private var settled: [ClientSource: UInt64] = [:]

    var count: Int { settled.count }

    /// Whether the source must wait.
    func isExhausted(_ source: ClientSource, now: UInt64) -> Bool {
        guard let time = settled[source], time > now else { return false }
        return time - now > (Self.burst - 1) * Self.interval
    }

    /// The source was wrong once more.
    mutating func note(_ source: ClientSource, now: UInt64) {
        if settled[source] == nil, settled.count >= Self.mostSources { makeRoom(now: now) }
        settled[source] = max(settled[source] ?? now, now) + Self.interval
    }

    /// Forgets who owes nothing; where all do, who owes least.
    private mutating func makeRoom(now: UInt64) {
        settled = settled.filter { $0.value > now }
        guard settled.count >= Self.mostSources, let least = settled.min(by: { $0.value < $1.value }) else { return }
        settled[least.key] = nil
    }
}
