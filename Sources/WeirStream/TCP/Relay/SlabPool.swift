/// A worker's pool of slabs of one size, for bytes that a peer has not accepted yet. Confined to the worker.
///
/// An idle connection owns no slab. The pool allocates blocks of slabs, reuses them, and has a fixed limit: a relay
/// checks ``availableByteCount`` before it reads.
@safe final class SlabPool {
    static let slabSize = 16_384
    private static let slabsPerBlock = 64

    private let capacity: Int
    private var blocks: [UnsafeMutableRawPointer] = unsafe []
    /// The next free slab of a free one, or the next slab of the same backlog; -1 ends both lists.
    private var next: ContiguousArray<Int32> = []
    private var firstFree: Int32 = -1
    /// Used before every read. Exclusivity is not checked at run time: nothing else runs while it changes.
    @safe @exclusivity(unchecked) private var inUse = 0

    /// Creates a pool of at most `bytes`, but at least one slab.
    init(bytes: Int) {
        capacity = max(1, bytes / Self.slabSize)
    }

    deinit {
        while let block = unsafe blocks.popLast() { unsafe block.deallocate() }
    }

    /// The bytes that can still be buffered, in whole slabs.
    var availableByteCount: Int { (capacity - inUse) * Self.slabSize }

    /// Appends `bytes` to `backlog`. The caller has read no more than ``availableByteCount``.
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

    /// Returns the first contiguous bytes of a backlog that is not empty. They are valid until the backlog changes.
    func front(of backlog: Backlog) -> UnsafeRawBufferPointer {
        let start = Int(backlog.headStart)
        return unsafe UnsafeRawBufferPointer(
            start: address(of: backlog.head) + start, count: headEnd(of: backlog) - start)
    }

    private func headEnd(of backlog: Backlog) -> Int {
        backlog.head == backlog.tail ? Int(backlog.tailEnd) : Self.slabSize
    }

    /// Removes `count` bytes from the front; at most as many as ``front(of:)`` returned.
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

    /// Empties a backlog and returns the number of its bytes.
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

/// The bytes that one direction has read and not yet written: a chain of slabs, which only ``SlabPool`` changes.
struct Backlog {
    fileprivate var head: Int32 = -1
    fileprivate var tail: Int32 = -1
    private var byteCount: Int32 = 0
    /// The offsets within the first and the last slab.
    fileprivate var headStart: UInt16 = 0
    fileprivate var tailEnd: UInt16 = 0

    /// The number of bytes: never more than a connection may buffer, far below the limit of 32 bits.
    fileprivate(set) var count: Int {
        get { Int(byteCount) }
        set { byteCount = Int32(newValue) }
    }

    var isEmpty: Bool { count == 0 }
}
