import Glibc
import Synchronization

// Proof: every access goes through an `Atomic`; the pointer never changes, and the memory lives as long as the object.
/// A fixed number of 64-bit words that threads share, all zero at the start: the storage of tables without locks.
///
/// The memory comes from the kernel page by page as words are first touched (calloc(3)): a large table that holds
/// little costs little.
@safe public final class AtomicWords: @unchecked Sendable {
    /// How many words there are.
    public let count: Int
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    /// `count` words of zero.
    public init(count: Int) {
        precondition(count > 0, "a table of nothing")
        guard let raw = unsafe calloc(count, MemoryLayout<Atomic<UInt64>>.stride) else {
            preconditionFailure("no memory for a table of \(count) words")
        }
        self.count = count
        // Atomic<UInt64> has the layout of UInt64, and its zero is all zeros.
        unsafe words = raw.bindMemory(to: Atomic<UInt64>.self, capacity: count)
    }

    deinit {
        unsafe free(words)
    }

    // MARK: In one order

    // Sequentially consistent: all threads see these accesses in one order. If two threads each write one word and then
    // read the other's, at least one of them sees the other's write.

    /// The value of a word.
    public func load(_ index: Int) -> UInt64 {
        check(index)
        return unsafe words[index].load(ordering: .sequentiallyConsistent)
    }

    /// Writes `new` where the word is still `old`. Returns whether it was.
    public func replace(_ index: Int, _ old: UInt64, with new: UInt64) -> Bool {
        check(index)
        return unsafe words[index].compareExchange(
            expected: old, desired: new, ordering: .sequentiallyConsistent
        ).exchanged
    }

    /// Adds `amount` and returns the sum.
    @discardableResult
    public func add(_ index: Int, _ amount: UInt64) -> UInt64 {
        check(index)
        return unsafe words[index].wrappingAdd(amount, ordering: .sequentiallyConsistent).newValue
    }

    /// Takes `amount` away and returns what is left.
    @discardableResult
    public func subtract(_ index: Int, _ amount: UInt64) -> UInt64 {
        check(index)
        return unsafe words[index].wrappingSubtract(amount, ordering: .sequentiallyConsistent).newValue
    }

    // MARK: Handed from one thread to another

    /// The value of a word. A caller that reads the value of a ``publish(_:_:)`` also sees all writes before that call.
    public func loadPublished(_ index: Int) -> UInt64 {
        check(index)
        return unsafe words[index].load(ordering: .acquiring)
    }

    /// Writes a word; all earlier writes of the caller come first (release).
    public func publish(_ index: Int, _ value: UInt64) {
        check(index)
        unsafe words[index].store(value, ordering: .releasing)
    }

    // MARK: Of one thread

    /// The value of a word that only the calling thread writes.
    public func loadOwn(_ index: Int) -> UInt64 {
        check(index)
        return unsafe words[index].load(ordering: .relaxed)
    }

    /// Writes a word that no other thread writes.
    public func storeOwn(_ index: Int, _ value: UInt64) {
        check(index)
        unsafe words[index].store(value, ordering: .relaxed)
    }

    private func check(_ index: Int) {
        precondition(index >= 0 && index < count, "no such word")
    }
}
