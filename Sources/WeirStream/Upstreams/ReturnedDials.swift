/// Counts the dials of one upstream that go back to the address from which their client comes, and refuses the one too
/// many. Confined to the worker.
///
/// Two proxies that dial each other turn one client into such dials without an end, and nothing ever answers. One
/// refusal ends that chain. A chain carries the same bytes round and round, so dials are counted apart by what their
/// client sent first. One-way traffic of a machine to itself passes, unless ten thousand clients in a row send the
/// same: of those it costs one in five thousand.
struct ReturnedDials {
    /// The dials of one mark, in a row without any answer, that are allowed within a period.
    static let maxCount = 10_000
    static let periodNanoseconds: UInt64 = 600_000_000_000

    private struct Count {
        var dials = 0
        var since: UInt64 = 0
    }

    /// A count for each mark; empty while there is no dial to count.
    private var counts: [Count] = []

    /// Counts a dial for a client with this mark. Returns whether it is allowed.
    mutating func allow(_ mark: ChainMark, now: UInt64) -> Bool {
        if counts.isEmpty { counts = Array(repeating: Count(), count: ChainMark.count) }
        var count = counts[mark.index]
        if count.dials == 0 || now - min(now, count.since) > Self.periodNanoseconds {
            count = Count(dials: 0, since: now)
        }
        count.dials += 1
        let isAllowed = count.dials <= Self.maxCount
        if !isAllowed { count = Count(dials: Self.maxCount / 2, since: now) }
        counts[mark.index] = count
        return isAllowed
    }

    /// The upstream has sent something, has ended a connection, or has refused: there is no other proxy.
    mutating func noteServer() {
        if !counts.isEmpty { counts = [] }
    }
}

/// The mark of what a client sends first. Equal bytes have equal marks; others have another one, but for one in 256.
struct ChainMark {
    static let count = 256
    private static let maxBytes = 64
    private let value: UInt8

    /// The mark of clients whose first bytes are not known when they are dialed for, as over TCP.
    static let unknown = ChainMark(value: 0)

    private init(value: UInt8) { self.value = value }

    /// The mark of a datagram: of its length and its first bytes.
    init(_ datagram: UnsafeRawBufferPointer) {
        var hash = UInt64(datagram.count)
        var offset = 0
        let end = min(datagram.count, Self.maxBytes)
        while offset + 8 <= end {
            unsafe hash = Self.mix(hash, datagram.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        while offset < end {
            unsafe hash = Self.mix(hash, UInt64(datagram[offset]))
            offset += 1
        }
        value = UInt8(truncatingIfNeeded: hash >> 56)
    }

    var index: Int { Int(value) }

    /// A step of a multiplicative hash with the golden ratio, whose upper bits depend on all of the input.
    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let mixed = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
        return mixed ^ (mixed >> 32)
    }
}
