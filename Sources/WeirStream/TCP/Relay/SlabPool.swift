/// Bytes that a peer did not take yet, in slabs of one size from a pool of one worker.
///
/// An idle connection owns none. Memory is taken from the system in blocks and reused; the pool has a fixed cap, and
/// whoever reads asks first how much could still be kept.
@safe final class SlabPool {
    static let slabSize = 16_384
    private static let slabsPerBlock = 64

    private let capacity: Int
    private var blocks: [UnsafeMutableRawPointer] = unsafe []
    /// For a free slab the next free one, for one in use the next of its backlog; -1 ends both.
    private var next: ContiguousArray<Int32> = []
    private var firstFree: Int32 = -1
    /// Asked before every read. Exclusivity is not checked at run time: nothing else runs while it changes.
    @safe @exclusivity(unchecked) private var inUse = 0

    /// A pool of at most `bytes`.
    init(bytes: Int) {
        capacity = max(1, bytes / Self.slabSize)
    }

    deinit {
        while let block = unsafe blocks.popLast() { unsafe block.deallocate() }
    }

    /// Bytes that can still be kept, counted in whole slabs.
    var availableByteCount: Int { (capacity - inUse) * Self.slabSize }

    /// Keeps `bytes` at the end of `backlog`. The caller read no more than ``availableByteCount``.
    func append(_ bytes: UnsafeRawBufferPointer, to backlog: inout Backlog) {
        var rest = unsafe bytes
        while rest.count > 0 {
            let used = Int(backlog.tailEnd)
            if backlog.tail < 0 || used == Self.slabSize {
                let slab = acquire()
                if backlog.tail < 0 { backlog.head = slab } else { next[Int(backlog.tail)] = slab }
                backlog.tail = slab
                backlog.tailEnd = 0
                continue
            }
            let count = min(rest.count, Self.slabSize - used)
            unsafe (address(of: backlog.tail) + used).copyMemory(from: rest.baseAddress!, byteCount: count)
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            backlog.tailEnd += UInt16(count)
            backlog.count += count
        }
    }

    /// The first bytes of a backlog that is not empty.
    func front(of backlog: Backlog) -> UnsafeRawBufferPointer {
        let start = Int(backlog.headStart)
        return unsafe UnsafeRawBufferPointer(
            start: address(of: backlog.head) + start, count: headEnd(of: backlog) - start)
    }

    private func headEnd(of backlog: Backlog) -> Int {
        backlog.head == backlog.tail ? Int(backlog.tailEnd) : Self.slabSize
    }

    /// Takes `count` bytes off the front; no more than ``front(of:)`` showed.
    func dropFront(_ count: Int, of backlog: inout Backlog) {
        backlog.headStart += UInt16(count)
        backlog.count -= count
        guard Int(backlog.headStart) == headEnd(of: backlog) else { return }
        let following = next[Int(backlog.head)]
        release(backlog.head)
        backlog.headStart = 0
        backlog.head = following
        if following < 0 {
            backlog.tail = -1
            backlog.tailEnd = 0
        }
    }

    /// Forgets a backlog and returns how many bytes it held.
    func clear(_ backlog: inout Backlog) -> Int {
        let count = backlog.count
        var slab = backlog.head
        while slab >= 0 {
            let following = next[Int(slab)]
            release(slab)
            slab = following
        }
        backlog = Backlog()
        return count
    }

    private func acquire() -> Int32 {
        precondition(inUse < capacity, "kept more than was available")
        if firstFree < 0 { grow() }
        let slab = firstFree
        firstFree = next[Int(slab)]
        next[Int(slab)] = -1
        inUse += 1
        return slab
    }

    private func release(_ slab: Int32) {
        next[Int(slab)] = firstFree
        firstFree = slab
        inUse -= 1
    }

    private func grow() {
        let size = Self.slabSize * Self.slabsPerBlock
        unsafe blocks.append(.allocate(byteCount: size, alignment: 64))
        let first = next.count
        next.append(contentsOf: repeatElement(-1, count: Self.slabsPerBlock))
        for index in (first..<next.count).reversed() {
            next[index] = firstFree
            firstFree = Int32(index)
        }
    }

    private func address(of slab: Int32) -> UnsafeMutableRawPointer {
        let block = unsafe blocks[Int(slab) / Self.slabsPerBlock]
        return unsafe block + Int(slab) % Self.slabsPerBlock * Self.slabSize
    }
}

/// What one direction has read and not yet written: a chain of slabs. Its pool does all the work.
struct Backlog {
    fileprivate var head: Int32 = -1
    fileprivate var tail: Int32 = -1
    private var byteCount: Int32 = 0
    /// Within a slab.
    fileprivate var headStart: UInt16 = 0
    fileprivate var tailEnd: UInt16 = 0

    /// Bytes in it: never more than a connection may keep, far below what 32 bits hold.
    fileprivate(set) var count: Int {
        get { Int(byteCount) }
        set { byteCount = Int32(newValue) }
    }

    var isEmpty: Bool { count == 0 }
}
