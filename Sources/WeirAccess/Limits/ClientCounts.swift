import LinuxIO
public import NetworkTypes

/// How many connections and sessions each client has at once, over all workers: exact, without a lock, in a fixed
/// table.
///
/// The table has 65,536 buckets of 16 words, 8 MiB of which only what is used takes memory. A client's bucket is chosen
/// by 16 bits of its key; a word holds the other 48 bits and a count of 16. A word whose count is 0 is free. As every
/// word holds the bits of its client, a word that was freed and taken by another client meanwhile cannot be mistaken:
/// the compare-and-swap fails.
///
/// A client that finds all 16 words of its bucket in use by others is refused, as if it had too many. With 200,000
/// clients at once that happens to one in six million, with 400,000 to one in 1,600, and no client can force it
/// (``ClientKey``).
public final class ClientCounts: Sendable {
    /// The slot in which a client is counted, to be given back with ``leave(_:)``.
    public struct Slot: Hashable, Sendable {
        fileprivate let index: UInt32
    }

    /// The most that a limit may be.
    public static let maxLimit = 65_535

    private let words: AtomicWords
    private static let wordsPerBucket = 16
    private static let bucketBits: UInt64 = 16
    private static let countBits: UInt64 = 16
    private static let countMask: UInt64 = 1 << countBits - 1

    /// An empty table.
    public init() {
        words = AtomicWords(count: Self.wordsPerBucket << Self.bucketBits)
    }

    /// Counts one more of a client, or returns nil where it has `limit` already. Any thread.
    ///
    /// Never more than `limit` are in at once. Where the first two of a client come at the same time on two threads
    /// while others leave the same bucket, both may be refused.
    public func enter(_ address: IPAddress, _ scope: LimitScope, limit: Int) -> Slot? {
        let key = ClientKey(address, scope)
        let limit = UInt64(min(max(limit, 0), Self.maxLimit))
        let first = Int(key.bits >> (64 - Self.bucketBits)) * Self.wordsPerBucket
        let tag = key.bits << Self.countBits
        // Each round that fails is one in which another thread got further.
        while true {
            let scan = scan(first, tag)
            guard scan.total < limit, let index = scan.own ?? scan.free else { return nil }
            let old = scan.own == nil ? scan.freeWord : scan.ownWord
            let new = scan.own == nil ? tag | 1 : old + 1
            guard words.replace(index, old, with: new) else { continue }
            // Two threads may have taken a word for the same client at once. Each looks again after it has written: in
            // the one order in which all see these accesses, the later of the two sees both.
            let others = self.scan(first, tag, except: index).total
            if new & Self.countMask + others <= limit { return Slot(index: UInt32(index)) }
            words.subtract(index, 1)
            return nil
        }
    }

    /// Counts one less, exactly once for each slot that ``enter(_:_:limit:)`` gave. Any thread.
    public func leave(_ slot: Slot) {
        let left = words.subtract(Int(slot.index), 1)
        precondition(left & Self.countMask != Self.countMask, "a slot was given back twice")
    }

    /// How many a client has now.
    public func count(of address: IPAddress, _ scope: LimitScope) -> Int {
        let key = ClientKey(address, scope)
        let first = Int(key.bits >> (64 - Self.bucketBits)) * Self.wordsPerBucket
        return Int(scan(first, key.bits << Self.countBits).total)
    }

    /// The content of a bucket, as one client sees it.
    private struct Scan {
        var total: UInt64 = 0
        var own: Int?
        var ownWord: UInt64 = 0
        var free: Int?
        var freeWord: UInt64 = 0
    }

    private func scan(_ first: Int, _ tag: UInt64, except excluded: Int = -1) -> Scan {
        var scan = Scan()
        for index in first..<first + Self.wordsPerBucket where index != excluded {
            let word = words.load(index)
            let count = word & Self.countMask
            if count == 0 {
                if scan.free == nil { (scan.free, scan.freeWord) = (index, word) }
            } else if word & ~Self.countMask == tag {
                scan.total += count
                if scan.own == nil { (scan.own, scan.ownWord) = (index, word) }
            }
        }
        return scan
    }
}
