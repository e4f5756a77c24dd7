import Synchronization

/// A list that one writer (under the registry's mutex) changes while any number of scrapes read it, without a lock.
///
/// Appending writes behind the published count and then raises the count; removing, reordering and growing write a new
/// block and swap the pointer. Old blocks are returned to the writer, which frees them when no scrape that may have
/// seen them is still running (``ScrapeReaders``).
///
/// `@unchecked Sendable`, because: readers touch only elements below a count that they acquired, which are never
/// written again in that block; blocks are freed only as described; all writing methods are called under one mutex.
@safe
final class PublishedList<Element: BitwiseCopyable>: @unchecked Sendable {
    private struct Header: ~Copyable {
        let count: Atomic<Int>
        let capacity: Int
    }

    private let block: Atomic<UnsafeMutableRawPointer>
    private static var elementsOffset: Int { 64 }

    init() {
        unsafe block = Atomic(Self.makeBlock(capacity: 4))
    }

    deinit {
        unsafe block.load(ordering: .relaxed).deallocate()
    }

    /// Calls `body` with each element that is published now.
    @inline(__always)
    func forEach(_ body: (Element) -> Void) {
        let elements = unsafe published
        for position in 0..<elements.count { unsafe body(elements[position]) }
    }

    /// The elements that are published now. Sequentially consistent, because it must not be ordered before the reader's
    /// announcement that it is reading (see ``ScrapeReaders``). The result is valid while that announcement stands.
    var published: UnsafeBufferPointer<Element> {
        let current = unsafe block.load(ordering: .sequentiallyConsistent)
        // Acquire: the elements below the count were written before it was raised.
        let count = unsafe Self.header(current).pointee.count.load(ordering: .acquiring)
        return unsafe UnsafeBufferPointer(start: Self.elements(current), count: count)
    }

    /// Appends; returns the block to free later if the list had to grow.
    func append(_ element: Element) -> DeferredFree? {
        let old = unsafe block.load(ordering: .relaxed)
        let header = unsafe Self.header(old)
        let count = unsafe header.pointee.count.load(ordering: .relaxed)
        if unsafe count < header.pointee.capacity {
            unsafe (Self.elements(old) + count).initialize(to: element)
            unsafe header.pointee.count.store(count + 1, ordering: .releasing)
            return nil
        }
        let new = unsafe Self.makeBlock(capacity: count * 2)
        unsafe Self.elements(new).initialize(from: Self.elements(old), count: count)
        unsafe (Self.elements(new) + count).initialize(to: element)
        unsafe Self.header(new).pointee.count.store(count + 1, ordering: .relaxed)
        unsafe block.store(new, ordering: .sequentiallyConsistent)
        return unsafe DeferredFree(memory: old)
    }

    /// Publishes other contents in one step; returns the old block to free later.
    func replace(with contents: some Collection<Element>) -> DeferredFree {
        let new = unsafe Self.makeBlock(capacity: Swift.max(4, contents.count))
        var count = 0
        for element in contents {
            unsafe (Self.elements(new) + count).initialize(to: element)
            count += 1
        }
        unsafe Self.header(new).pointee.count.store(count, ordering: .relaxed)
        let old = unsafe block.load(ordering: .relaxed)
        unsafe block.store(new, ordering: .sequentiallyConsistent)
        return unsafe DeferredFree(memory: old)
    }

    private static func makeBlock(capacity: Int) -> UnsafeMutableRawPointer {
        let bytes = elementsOffset + capacity * MemoryLayout<Element>.stride
        let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        let header = unsafe raw.bindMemory(to: Header.self, capacity: 1)
        unsafe header.initialize(to: Header(count: Atomic(0), capacity: capacity))
        return unsafe raw
    }

    private static func header(_ raw: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Header> {
        unsafe raw.assumingMemoryBound(to: Header.self)
    }

    private static func elements(_ raw: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Element> {
        unsafe (raw + elementsOffset).assumingMemoryBound(to: Element.self)
    }
}

/// Memory that a list has replaced, to be freed when no scrape can hold it: the garbage of epoch-based reclamation. The
/// holder of this value owns the memory.
@safe
struct DeferredFree {
    fileprivate let memory: UnsafeMutableRawPointer

    /// Gives the memory back; once.
    func deallocate() {
        unsafe memory.deallocate()
    }
}
