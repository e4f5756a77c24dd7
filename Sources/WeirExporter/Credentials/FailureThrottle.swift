import LinuxIO

/// How many attempts each key has: a burst at once, then one per interval. The table is bounded.
struct FailureThrottle<Key: Hashable> {
    private let burst: UInt64
    private let interval: UInt64
    private let maxKeys: Int

    /// When each key owes nothing any more, in nanoseconds.
    private var settled: [Key: UInt64] = [:]

    /// - Parameters:
    ///   - burst: attempts at once.
    ///   - interval: nanoseconds until one more is free.
    ///   - maxKeys: keys that are remembered.
    init(burst: UInt64, interval: UInt64, maxKeys: Int) {
        self.burst = burst
        self.interval = interval
        self.maxKeys = maxKeys
    }

    var count: Int { settled.count }

    /// Whether the key must wait.
    func isExhausted(_ key: Key, now: UInt64) -> Bool {
        guard let time = settled[key], time > now else { return false }
        return time - now > (burst - 1) * interval
    }

    /// Charges one attempt.
    mutating func charge(_ key: Key, now: UInt64) {
        if settled[key] == nil, settled.count >= maxKeys { evictLeastIndebted(now: now) }
        settled[key] = max(settled[key] ?? now, now) + interval
    }

    /// Forgets the keys that owe nothing; where all owe something, the one that owes least.
    private mutating func evictLeastIndebted(now: UInt64) {
        settled = settled.filter { $0.value > now }
        guard settled.count >= maxKeys, let least = settled.min(by: { $0.value < $1.value }) else { return }
        settled[least.key] = nil
    }
}
