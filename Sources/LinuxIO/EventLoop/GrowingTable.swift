/// A table that grows by segments of 256 elements and never moves or drops one. Growth copies no elements (a doubling
/// array of a million elements would stall the event loop) and leaves no outgrown copies in the heap, which would add
/// to the memory of each connection. Confined to its owner's thread.
@safe struct GrowingTable<Element>: ~Copyable {
    /// The segments, of which each but the last is full. Grown by doubling: a 256th of the elements.
    private var directory: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
    private var capacity = 16
    /// How many elements there are.
    private(set) var count = 0

    private static var segmentBits: Int { 8 }
    private static var segmentCount: Int { 1 << segmentBits }

    init() {
        unsafe directory = .allocate(capacity: capacity)
    }

    deinit {
        for index in 0..<((count + Self.segmentCount - 1) >> Self.segmentBits) {
            let rest = count - (index << Self.segmentBits)
            unsafe directory[index].deinitialize(count: min(rest, Self.segmentCount))
            unsafe directory[index].deallocate()
        }
        unsafe directory.deallocate()
    }

    /// An element, in place. Traps where there is none.
    subscript(index: Int) -> Element {
        @inline(__always) _read {
            yield unsafe address(of: index).pointee
        }
        @inline(__always) _modify {
            yield unsafe &address(of: index).pointee
        }
    }

    @inline(__always) private func address(of index: Int) -> UnsafeMutablePointer<Element> {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "no such element")
        return unsafe directory[index >> Self.segmentBits].advanced(by: index & (Self.segmentCount - 1))
    }

    /// Changes an element in place, with one look-up for all that is done to it. Traps where there is none.
    @inline(__always) mutating func update(_ index: Int, _ body: (inout Element) -> Void) {
        body(&self[index])
    }

    /// Puts an element at index ``count``.
    mutating func append(_ element: Element) {
        let position = count & (Self.segmentCount - 1)
        if position == 0 { addSegment() }
        unsafe directory[count >> Self.segmentBits].advanced(by: position).initialize(to: element)
        count += 1
    }

    private mutating func addSegment() {
        let index = count >> Self.segmentBits
        if index == capacity {
            let larger = UnsafeMutablePointer<UnsafeMutablePointer<Element>>.allocate(capacity: 2 * capacity)
            unsafe larger.moveInitialize(from: directory, count: capacity)
            unsafe directory.deallocate()
            unsafe directory = larger
            capacity *= 2
        }
        unsafe directory.advanced(by: index).initialize(to: .allocate(capacity: Self.segmentCount))
    }
}
