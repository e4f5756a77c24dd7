import LinuxIO

/// The bytes of one direction that many connections share, over all workers.
///
/// The bytes come out of one pool, which is a time that all workers move on (``ByteBucket``). So that they do not meet
/// there at every read, a worker borrows a quantum at once and deals it out by itself. Whoever takes bytes waits until
/// the pool has earned the quantum that they came from: so those who want much and those who want little stand in one
/// queue, and nobody waits longer than one piece of each of the others takes.
public final class BandwidthMeter: Sendable {
    /// The rate.
    public let bucket: ByteBucket
    private let quantum: Int
    private let words: AtomicWords

    /// A worker's words lie two cache lines from those of the next.
    private static let stride = 16
    private static let pool = 0

    private enum Share {
        /// Borrowed bytes that are left.
        static let credit = 0
        /// When the pool has earned what was borrowed last.
        static let due = 1
    }

    /// A meter for `workers` workers, numbered from 0.
    public init(_ bucket: ByteBucket, workers: Int) {
        self.bucket = bucket
        // A tenth of a burst: the workers' shares together stay small beside it.
        quantum = min(max(1, bucket.burst / 10), 1 << 20)
        words = AtomicWords(count: (workers + 1) * Self.stride)
    }

    /// Charges bytes that were read, on their worker. Returns how long the next read has to wait, in nanoseconds.
    public func charge(_ bytes: Int, worker: Int, at now: UInt64) -> UInt64 {
        let share = (worker + 1) * Self.stride
        let credit = Int(words.loadOwn(share + Share.credit))
        if bytes <= credit {
            words.storeOwn(share + Share.credit, UInt64(credit - bytes))
            return bucket.wait(words.loadOwn(share + Share.due), at: now)
        }
        let missing = bytes - credit
        let borrowed = max(missing, quantum)
        while true {
            let state = words.load(Self.pool)
            let due = bucket.charging(borrowed, to: state, at: now)
            guard words.replace(Self.pool, state, with: due) else { continue }
            keep(share, credit: borrowed - missing, due: due)
            return bucket.wait(due, at: now)
        }
    }

    /// Takes the bytes of a datagram, on its worker, or says that there are none for it now. One datagram may be longer
    /// than what is left: the pool then owes the rest.
    public func take(_ bytes: Int, worker: Int, at now: UInt64) -> Bool {
        let share = (worker + 1) * Self.stride
        let credit = Int(words.loadOwn(share + Share.credit))
        if bytes <= credit {
            words.storeOwn(share + Share.credit, UInt64(credit - bytes))
            return true
        }
        let missing = bytes - credit
        let borrowed = max(missing, quantum)
        while true {
            let state = words.load(Self.pool)
            guard bucket.wait(state, at: now) == 0 else { return false }
            let due = bucket.charging(borrowed, to: state, at: now)
            guard words.replace(Self.pool, state, with: due) else { continue }
            keep(share, credit: borrowed - missing, due: due)
            return true
        }
    }

    private func keep(_ share: Int, credit: Int, due: UInt64) {
        words.storeOwn(share + Share.credit, UInt64(credit))
        words.storeOwn(share + Share.due, due)
    }
}
