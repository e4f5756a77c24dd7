import LinuxIO
import NetworkTypes
import Synchronization

/// A connection that one worker accepted for another.
struct Handoff {
    /// The raw descriptor. The receiver of the handoff owns it.
    let descriptor: CInt
    /// The number of the listener that accepted it.
    let listener: UInt32
    /// The address of the peer, as accept(2) returned it: a socket that was reset meanwhile no longer tells it.
    let peer: SocketAddress
}

/// A bounded lock-free queue of many senders and one receiver (after D. Vyukov's bounded queue). Each cell has a turn:
/// the position at which it may be written or read next.
final class HandoffQueue: Sendable {
    /// Five words per cell: its turn, minus the index of the cell so that a new cell is zero, and its value. The turn
    /// decides which thread owns the value. A cell that was never used occupies no physical memory.
    private let words: AtomicWords
    private static let wordsPerCell: UInt64 = 5
    private let head = Atomic<UInt64>(0)
    private let tail = Atomic<UInt64>(0)
    private let mask: UInt64

    /// Creates a queue of `capacity` cells, a power of two.
    init(capacity: Int = 1024) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0)
        words = AtomicWords(count: Int(Self.wordsPerCell) * capacity)
        mask = UInt64(capacity - 1)
    }

    /// Adds a handoff; safe from any worker. Returns false where the queue is full: the sender keeps the descriptor.
    func push(_ handoff: Handoff) -> Bool {
        var position = tail.load(ordering: .relaxed)
        while true {
            let cell = position & mask
            // Acquire: pairs with the receiver's release, so that its read of the old value came before our write.
            let first = Int(Self.wordsPerCell * cell)
            let turn = words.loadPublished(first) + cell
            if turn == position {
                let (done, seen) = tail.weakCompareExchange(
                    expected: position, desired: position + 1, ordering: .relaxed)
                if done {
                    let descriptor = UInt64(UInt32(bitPattern: handoff.descriptor))
                    words.storeOwn(first + 1, UInt64(handoff.listener) << 32 | descriptor)
                    words.storeOwn(first + 2, handoff.peer.ip.high)
                    words.storeOwn(first + 3, handoff.peer.ip.low)
                    words.storeOwn(first + 4, UInt64(handoff.peer.scope) << 32 | UInt64(handoff.peer.port))
                    // Release: the value is written before the receiver sees the turn.
                    words.publish(first, position + 1 - cell)
                    return true
                }
                position = seen
            } else if turn < position {
                return false
            } else {
                position = tail.load(ordering: .relaxed)
            }
        }
    }

    /// Takes the oldest handoff; nil where the queue is empty. Call it only on the worker that owns the queue.
    func pop() -> Handoff? {
        let position = head.load(ordering: .relaxed)
        let cell = position & mask
        // Acquire: pairs with the sender's release of the written cell.
        let first = Int(Self.wordsPerCell * cell)
        guard words.loadPublished(first) + cell == position + 1 else { return nil }
        let (packed, end) = (words.loadOwn(first + 1), words.loadOwn(first + 4))
        let ip = IPAddress(high: words.loadOwn(first + 2), low: words.loadOwn(first + 3))
        head.store(position + 1, ordering: .relaxed)
        // Release: our read of the value came before the next sender's write.
        words.publish(first, position + mask + 1 - cell)
        return Handoff(
            descriptor: CInt(bitPattern: UInt32(truncatingIfNeeded: packed)),
            listener: UInt32(truncatingIfNeeded: packed >> 32),
            peer: SocketAddress(
                ip, port: UInt16(truncatingIfNeeded: end), scope: UInt32(truncatingIfNeeded: end >> 32)))
    }
}
