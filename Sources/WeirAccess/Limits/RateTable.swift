import LinuxIO
public import NetworkTypes

/// How fast each client network opens connections and sessions, over all workers: token buckets in a fixed table,
/// without a lock.
///
/// The table has 32,768 sets of 8 buckets, 4 MiB of which only what is used takes memory. A network without a bucket
/// has a full one, so a bucket that is full again is worth nothing, and its room goes to the next network that needs
/// one. Where all 8 of a set are still filling, the one that will be full soonest makes room: no client is refused
/// because the table is full, and one that was driven out of it begins anew with a full bucket. No client can choose
/// which ones share a set (``ClientKey``). Under such pressure, and only then, two threads that touch the same set at
/// the same moment may charge a token to the wrong one of its networks.
public final class RateTable: Sendable {
    private let words: AtomicWords
    private static let setBits: UInt64 = 15
    private static let bucketsPerSet = 8
    /// The keys of a set, then the states of their buckets: a cache line each.
    private static let wordsPerSet = 2 * bucketsPerSet

    /// A table in which every network has a full bucket.
    public init() {
        words = AtomicWords(count: Self.wordsPerSet << Self.setBits)
    }

    /// Takes a token from a network's bucket at `now`, in nanoseconds of a clock that never runs back. False where none
    /// is left. Any thread.
    public func take(_ address: IPAddress, _ scope: LimitScope, _ bucket: TokenBucket, at now: UInt64) -> Bool {
        let bits = ClientKey(address, scope).bits
        let first = Int(bits >> (64 - Self.setBits)) * Self.wordsPerSet
        // 0 is an empty slot. Another key takes the slot of that one, once in 2^64.
        let key = bits == 0 ? 1 : bits
        // Each round that fails is one in which another thread got further.
        while true {
            let (slot, old) = find(first, key)
            if old == key { return charge(slot, bucket, now) }
            // Where this fails another thread was quicker, perhaps for this very network.
            guard words.replace(slot, old, with: key) else { continue }
            let state = words.load(slot + Self.bucketsPerSet)
            // What the one before still owed is not the newcomer's.
            if old != 0, state > now { _ = words.replace(slot + Self.bucketsPerSet, state, with: now) }
            return charge(slot, bucket, now)
        }
    }

    private func charge(_ slot: Int, _ bucket: TokenBucket, _ now: UInt64) -> Bool {
        while true {
            let state = words.load(slot + Self.bucketsPerSet)
            guard let new = bucket.taking(from: state, at: now) else { return false }
            if words.replace(slot + Self.bucketsPerSet, state, with: new) { return true }
        }
    }

    /// The slot of a network; else the first empty one; else the one whose bucket is full, or will be soonest. With
    /// what stood there.
    ///
    /// Each key is read once. Of two threads that look for the same network, and find it nowhere and room, both so
    /// choose the same slot, and one of them fails to take it.
    private func find(_ first: Int, _ key: UInt64) -> (slot: Int, key: UInt64) {
        var empty: Int?
        var best = (slot: first, key: UInt64(0))
        var soonest = UInt64.max
        for slot in first..<first + Self.bucketsPerSet {
            let found = words.load(slot)
            if found == key { return (slot, key) }
            if found == 0 {
                if empty == nil { empty = slot }
                continue
            }
            let state = words.load(slot + Self.bucketsPerSet)
            if state <= soonest { (best, soonest) = ((slot, found), state) }
        }
        return empty.map { ($0, 0) } ?? best
    }
}
