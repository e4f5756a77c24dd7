import LinuxIO

/// Peers that send a PROXY header in front of a session's first datagram only, and whose header was read, whether its
/// client was let in or not. Datagrams that they send when their session is over are a client's bytes, never a header.
///
/// The table is bounded, and fails to the safe side: where it is full of peers that were heard within ``silence``, a
/// new one finds no room, and its datagram is dropped unread. Confined to its worker.
struct HeaderedPeers {
    /// A peer at one of our addresses, as ``SessionKey`` has it, and port.
    struct Mark: Hashable {
        let key: SessionKey
        let port: UInt16
    }

    /// Bounds the memory, which is taken as peers come, to some 8 MiB.
    static let capacity = 65_536
    /// A peer that was silent for longer may begin anew, in nanoseconds: longer than proxies keep a silent session, so
    /// that its port was given up there.
    static let silence: UInt64 = 3_600_000_000_000
    /// While the table is full, it is searched for silent peers this often, in nanoseconds.
    private static let searchPeriod: UInt64 = 1_000_000_000
    /// The time of a peer that has a session: it is not silent.
    private static let live = UInt64.max

    private let capacity: Int
    private var lastSeen: [Mark: UInt64] = [:]
    private var lastSearch: UInt64 = 0

    /// An empty table. Only tests have one of another capacity.
    init(capacity: Int = Self.capacity) {
        self.capacity = capacity
    }

    /// Whether the peer's header was read, and it was not silent since. The lookup also refreshes the entry.
    mutating func holds(_ mark: Mark, now: UInt64) -> Bool {
        guard !lastSeen.isEmpty, let time = lastSeen[mark] else { return false }
        if Self.isSilent(time, now: now) {
            lastSeen[mark] = nil
            return false
        }
        if time != Self.live { lastSeen[mark] = now }
        return true
    }

    /// Whether there is room for one more. To be asked before a header is read.
    mutating func hasRoom(now: UInt64) -> Bool {
        if lastSeen.count < capacity { return true }
        guard now - min(now, lastSearch) >= Self.searchPeriod else { return false }
        lastSearch = now
        lastSeen = lastSeen.filter { !Self.isSilent($0.value, now: now) }
        return lastSeen.count < capacity
    }

    /// Remembers a peer whose header was just read: while its session lives, and from ``sessionEnded(_:now:)`` on until
    /// it was silent for ``silence``.
    mutating func insert(_ mark: Mark) {
        lastSeen[mark] = Self.live
    }

    /// The peer has no session any more, or got none.
    mutating func sessionEnded(_ mark: Mark, now: UInt64) {
        if !lastSeen.isEmpty, lastSeen[mark] != nil { lastSeen[mark] = now }
    }

    private static func isSilent(_ time: UInt64, now: UInt64) -> Bool {
        time != live && now - min(now, time) >= silence
    }
}
