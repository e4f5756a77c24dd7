import LinuxIO

/// The bytes of one direction that many connections share, over all workers.
///
/// The bytes come out of one pool, which is a time that all workers move on (``ByteBucket``), without a lock.
///
/// - A TCP read is asked for beforehand (``reserve(atMost:isFavored:at:)``). While bytes are left it gets them at once.
///   Where they are used up it gets one small piece, of a millisecond, that the pool earns later: the readers that wait
///   form one queue, in the order in which they asked, and each waits for one such piece of each of the others.
/// - The queue has a bound (``maxWaitNanoseconds``), and with it the pool's debt: a reader that finds it full takes
///   nothing, and asks again later.
/// - A *favored* reader or datagram, of a route that used less than its share (``FairShare``), passes before the queue,
///   at the cost of a debt that has a bound of its own (``maxFavoredWaitNanoseconds``).
/// - Datagrams do not wait. A worker borrows a quantum for them at once, so that it does not meet the others at each.
public final class BandwidthMeter: Sendable {
    /// Bytes that were charged, and the time from which on they may be read.
    public struct Reservation: Equatable, Sendable {
        /// How many, one at least.
        public let byteCount: Int
        /// Nanoseconds of the clock that was asked with; not later than that where they may be read at once.
        public let due: UInt64
    }

    /// The rate.
    public let bucket: ByteBucket
    private let quantum: Int
    private let words: AtomicWords

    /// How long the queue may be that readers stand in, in nanoseconds.
    public static let maxWaitNanoseconds: UInt64 = 200_000_000
    /// How far those that are favored may bring the pool into debt, in nanoseconds. With a burst and a piece it stays
    /// below a second.
    public static let maxFavoredWaitNanoseconds: UInt64 = 700_000_000

    /// A worker's words lie two cache lines from those of the next.
    private static let stride = 16
    private static let pool = 0

    /// A meter for `workers` workers, numbered from 0.
    public init(_ bucket: ByteBucket, workers: Int) {
        self.bucket = bucket
        // A tenth of a burst: the workers' shares together stay small beside it.
        quantum = min(max(1, bucket.burst / 10), 1 << 20)
        words = AtomicWords(count: (workers + 1) * Self.stride)
    }

    // MARK: Reads

    /// Charges the bytes of a read that is to come, `atMost` so many. Nil where the queue is full: nothing was taken.
    public func reserve(atMost limit: Int, isFavored: Bool, at now: UInt64) -> Reservation? {
        while true {
            let state = words.load(Self.pool)
            let available = bucket.available(state, at: now)
            let wait = bucket.wait(state, at: now)
            guard wait <= (isFavored ? Self.maxFavoredWaitNanoseconds : Self.maxWaitNanoseconds) else { return nil }
            let count = max(1, min(limit, available ?? bucket.sharedPiece))
            let next = bucket.charging(count, to: state, at: now)
            guard words.replace(Self.pool, state, with: next) else { continue }
            return Reservation(byteCount: count, due: isFavored ? now : now + wait)
        }
    }

    /// How long a reader that found the queue full waits at least until there is room, in nanoseconds.
    public func timeUntilRoom(at now: UInt64) -> UInt64 {
        let wait = bucket.wait(words.load(Self.pool), at: now)
        return wait - min(wait, Self.maxWaitNanoseconds)
    }

    /// Charges bytes that were read without a reservation.
    public func charge(_ bytes: Int, at now: UInt64) {
        while true {
            let state = words.load(Self.pool)
            if words.replace(Self.pool, state, with: bucket.charging(bytes, to: state, at: now)) { return }
        }
    }

    /// Gives back bytes of a reservation that were not read.
    public func refund(_ bytes: Int) {
        // The sum of all charges is in the word: it cannot fall below zero.
        if bytes > 0 { words.subtract(Self.pool, bucket.time(for: bytes)) }
    }

    // MARK: Datagrams

    /// Takes the bytes of a datagram, on its worker, or says that there are none for it now. One datagram may be longer
    /// than what is left: the pool then owes the rest.
    public func take(_ bytes: Int, worker: Int, isFavored: Bool = false, at now: UInt64) -> Bool {
        let share = (worker + 1) * Self.stride
        let credit = Int(words.loadOwn(share))
        if bytes <= credit {
            words.storeOwn(share, UInt64(credit - bytes))
            return true
        }
        let missing = bytes - credit
        while true {
            let state = words.load(Self.pool)
            let wait = bucket.wait(state, at: now)
            guard wait <= (isFavored ? Self.maxFavoredWaitNanoseconds : 0) else { return false }
            // Nothing is borrowed ahead of what others wait for.
            let borrowed = wait == 0 ? max(missing, quantum) : missing
            guard words.replace(Self.pool, state, with: bucket.charging(borrowed, to: state, at: now)) else { continue }
            words.storeOwn(share, UInt64(borrowed - missing))
            return true
        }
    }
}
