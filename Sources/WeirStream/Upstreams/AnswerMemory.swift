import LinuxIO

/// Remembers for the name of a UDP upstream which of its addresses answers, and bounds the sessions that try others.
/// Confined to the worker.
struct AnswerMemory {
    /// How long an answer shows that its address lives: a session that waits there meanwhile tries no other.
    private static let lifeNanoseconds: UInt64 = 1_000_000_000
    /// The pauses after a session has tried every address in vain: a name that has answered before is tried again soon,
    /// one that never has may be one-way traffic (syslog), which needs no answer.
    private static let shortPause: UInt64 = 5_000_000_000
    private static let firstLongPause: UInt64 = 60_000_000_000
    private static let maxPause: UInt64 = 3_600_000_000_000
    private static let maxTrials = 16

    /// The address that answered last.
    private(set) var address: SocketAddress?
    private var answeredAt: UInt64 = 0
    private var longPause = firstLongPause
    private var pausedUntil: UInt64 = 0
    /// The sessions that try another address now.
    private var trials = 0

    /// Notes an answer from an address.
    mutating func answered(_ address: SocketAddress, now: UInt64) {
        if self.address != address { self.address = address }
        answeredAt = now
        pausedUntil = 0
    }

    /// Whether an address has answered lately, to any session of the worker.
    func isAlive(_ address: SocketAddress, now: UInt64) -> Bool {
        self.address == address && now - min(now, answeredAt) < Self.lifeNanoseconds
    }

    /// Notes that a session has tried every address in vain.
    mutating func triedInVain(now: UInt64) {
        if address != nil {
            pausedUntil = now + Self.shortPause
        } else {
            pausedUntil = now + longPause
            longPause = min(longPause * 2, Self.maxPause)
        }
    }

    /// Whether a session may try another address now. An address that answers others needs no bound.
    mutating func beginTrial(of address: SocketAddress, now: UInt64) -> Bool {
        guard now >= pausedUntil, trials < Self.maxTrials || isAlive(address, now: now) else { return false }
        trials += 1
        return true
    }

    mutating func trialEnded() { trials -= 1 }
}
