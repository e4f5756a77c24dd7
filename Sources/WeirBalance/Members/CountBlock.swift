import Synchronization

// Proof: every access goes through an `Atomic`; the pointer never changes, and the memory lives as long as the object.
/// The active counts of up to 64 members side by side, so that a look at all of them touches few cache lines.
@safe final class CountBlock: @unchecked Sendable {
    static let capacity = 64

    private let counts: UnsafeMutablePointer<Atomic<Int32>>
    /// One bit for each count in use.
    private let used = Atomic<UInt64>(0)

    init() {
        // A cache line of its own at both ends, on the machines that there are.
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: Self.capacity * MemoryLayout<Atomic<Int32>>.stride, alignment: 64)
        let typed = unsafe bytes.bindMemory(to: Atomic<Int32>.self, capacity: Self.capacity)
        for index in 0..<Self.capacity { unsafe (typed + index).initialize(to: Atomic(0)) }
        unsafe counts = typed
    }

    deinit {
        unsafe counts.deinitialize(count: Self.capacity)
        unsafe UnsafeMutableRawPointer(counts).deallocate()
    }

    var isUnused: Bool { used.load(ordering: .relaxed) == 0 }

    /// Returns the index of a count that is not in use, and is now; nil where all are.
    func take() -> Int? {
        var bits = used.load(ordering: .relaxed)
        while bits != .max {
            let index = (~bits).trailingZeroBitCount
            // Acquire: the last owner's changes of the count come before those of the next.
            let result = used.compareExchange(
                expected: bits, desired: bits | 1 << UInt64(index), ordering: .acquiringAndReleasing)
            if result.exchanged {
                unsafe counts[index].store(0, ordering: .relaxed)
                return index
            }
            bits = result.original
        }
        return nil
    }

    /// Gives a count back.
    func giveBack(_ index: Int) {
        // Release: the owner's changes of the count come before those of the next.
        used.bitwiseAnd(~(1 << UInt64(index)), ordering: .releasing)
    }

    func cell(_ index: Int) -> CountCell {
        precondition(index >= 0 && index < Self.capacity, "no such count")
        return unsafe CountCell(counts + index)
    }
}

// Proof: every access goes through an `Atomic`. The record that handed the cell out keeps its block, and every holder
// of a cell (a view of a layout) keeps the record.
/// One active count of a ``CountBlock``.
@safe struct CountCell: @unchecked Sendable {
    private let pointer: UnsafeMutablePointer<Atomic<Int32>>

    fileprivate init(_ pointer: UnsafeMutablePointer<Atomic<Int32>>) {
        unsafe self.pointer = pointer
    }

    @inline(__always) var value: Int32 { unsafe pointer.pointee.load(ordering: .relaxed) }

    @inline(__always) func add() { unsafe pointer.pointee.add(1, ordering: .relaxed) }

    @inline(__always) func subtract() { unsafe pointer.pointee.subtract(1, ordering: .relaxed) }

    /// Adds one where the count is below the limit. Returns whether it was.
    @inline(__always) func add(limit: Int32) -> Bool {
        if limit == .max {
            add()
            return true
        }
        var count = value
        while count < limit {
            let result = unsafe pointer.pointee.compareExchange(
                expected: count, desired: count + 1, ordering: .relaxed)
            if result.exchanged { return true }
            count = result.original
        }
        return false
    }
}
