import Glibc
import Synchronization

// Proof: every access goes through an `Atomic`; the pointer never changes, and the memory lives as long as the object.
/// A fixed number of 64-bit words that threads share, all zero at the start: what a table without locks is made of.
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

    // Sequentially consistent: all threads see these accesses in one order, so that of two threads which both write and
    // then look at what the other wrote, one at least sees it.

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

    /// The value of a word: whoever reads what ``publish(_:_:)`` wrote also sees all that its caller wrote before.
    public func loadPublished(_ index: Int) -> UInt64 {
        check(index)
        return unsafe words[index].load(ordering: .acquiring)
    }

    /// Writes a word after all that the caller wrote before.
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
