public import Synchronization

/// The cells of one series: `width` neighbouring 64-bit integers in every lane. The lane for foreign threads comes
/// first, the workers' lanes follow at a fixed distance (``stride``), so that an address needs no look-up.
///
/// `@unchecked Sendable`, because: every access goes through an `Atomic`; the pointer never changes; and the memory is
/// never freed (see ``CellStorage``), so that no handle, however old, can dangle.
@safe @usableFromInline
struct LaneCells: @unchecked Sendable, BitwiseCopyable {
    /// Words between the same cell of two neighbouring lanes: 1024 cells, and 128 bytes of padding, so that neither a
    /// cache line nor the pair of lines that the prefetcher fetches is shared by two lanes, and so that the lanes of
    /// one series do not all fall into the same set of the cache.
    @usableFromInline static var stride: Int { @inlinable @inline(__always) get { 1024 + 16 } }

    @usableFromInline let foreign: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let lanes: Int

    @inlinable
    init(foreign: UnsafeMutablePointer<Atomic<UInt64>>, lanes: Int) {
        unsafe self.foreign = foreign
        self.lanes = lanes
    }

    /// Adds in a worker's own lane. Single writer, hence load and store instead of a locked instruction.
    ///
    /// The store releases: a scrape that acquires the new value (of a counter that ends things) also sees the
    /// increments that happened before it (of the counter that began them). See `ReadPlan`. It costs nothing on
    /// x86-64 and one `stlr` on arm64.
    @inlinable @inline(__always)
    func add(_ amount: UInt64, lane: Int, cell: Int = 0) {
        precondition(UInt(bitPattern: lane) < UInt(bitPattern: lanes), "no such lane")
        let address = unsafe foreign + ((lane &+ 1) &* Self.stride &+ cell)
        let old = unsafe address.pointee.load(ordering: .relaxed)
        unsafe address.pointee.store(old &+ amount, ordering: .releasing)
    }

    /// Adds in the lane that all other threads share. Releasing for the same reason as ``add(_:lane:cell:)``; later
    /// adds continue the release sequence, so that whoever acquires a sum has acquired every addend.
    @inlinable @inline(__always)
    func addForeign(_ amount: UInt64, cell: Int = 0) {
        unsafe (foreign + cell).pointee.wrappingAdd(amount, ordering: .releasing)
    }

    /// Overwrites the shared lane's cell.
    @inlinable @inline(__always)
    func storeForeign(_ value: UInt64) {
        unsafe foreign.pointee.store(value, ordering: .releasing)
    }

    /// Raises the shared lane's cell to at least `value`.
    @inlinable @inline(__always)
    func raiseForeign(to value: UInt64) {
        _ = unsafe foreign.pointee.max(value, ordering: .releasing)
    }

    /// The sum over the lanes, each read once and acquiring: nothing that is read later is older than what is read here.
    func sum(cell: Int = 0) -> UInt64 {
        var address = unsafe foreign + cell
        var total = unsafe address.pointee.load(ordering: .acquiring)
        for _ in 0..<lanes {
            unsafe address += Self.stride
            total &+= unsafe address.pointee.load(ordering: .acquiring)
        }
        return total
    }

    /// Sets `width` cells to zero in every lane. Only when no lane and no scrape can still hold them.
    func reset(width: Int) {
        for lane in 0...lanes {
            for cell in 0..<width {
                unsafe (foreign + (lane * Self.stride + cell)).pointee.store(0, ordering: .relaxed)
            }
        }
    }
}
