import Synchronization

/// A bounded queue of log records from one worker to the log's thread, without locks: one thread pushes, one pops.
/// When it is full the record is dropped; the caller counts that.
// Proof: the slots between `head` and `tail` belong to the consumer, the others to the producer. The producer writes a
// slot before it publishes it by the releasing store to `tail`, which the consumer reads with acquire; the consumer has
// read a slot before it gives it back by the releasing store to `head`, which the producer reads with acquire. There is
// one producer (the worker) and one consumer (the log's thread).
@safe
final class LogRing: @unchecked Sendable {
    private let slots: UnsafeMutablePointer<LogRecord>
    private let mask: Int
    private let head = Atomic<Int>(0)
    private let tail = Atomic<Int>(0)

    /// Room for `capacity` records, a power of two. The memory is taken from the system where it is first written.
    init(capacity: Int) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a power of two")
        mask = capacity - 1
        unsafe slots = .allocate(capacity: capacity)
    }

    deinit {
        while pop() != nil {}
        unsafe slots.deallocate()
    }

    /// Appends from the producer's thread; false where it is full.
    func push(_ record: LogRecord) -> Bool {
        let end = tail.load(ordering: .relaxed)
        // Acquire: the consumer has moved the old record out of this slot before it is written again.
        if end &- head.load(ordering: .acquiring) > mask { return false }
        unsafe (slots + (end & mask)).initialize(to: record)
        // Release: the record is written before its slot is published.
        tail.store(end &+ 1, ordering: .releasing)
        return true
    }

    /// Takes the oldest one, on the consumer's thread.
    func pop() -> LogRecord? {
        let start = head.load(ordering: .relaxed)
        // Acquire: what the producer wrote before it published the slot is seen.
        if start == tail.load(ordering: .acquiring) { return nil }
        let record = unsafe (slots + (start & mask)).move()
        // Release: the slot was read before it is given back.
        head.store(start &+ 1, ordering: .releasing)
        return record
    }

    /// Whether there is nothing to pop. Sequentially consistent, for the handshake before the consumer sleeps.
    var isEmpty: Bool {
        head.load(ordering: .sequentiallyConsistent) == tail.load(ordering: .sequentiallyConsistent)
    }
}
