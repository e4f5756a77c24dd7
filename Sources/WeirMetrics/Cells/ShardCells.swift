public import Synchronization

/// The cells of one series: `width` adjacent 64-bit integers in every shard. The shared shard comes first, the workers'
/// shards follow at a fixed distance (``stride``), so that an address needs no look-up.
///
/// `@unchecked Sendable`, because: every access goes through an `Atomic`; the pointer never changes; and the memory is
/// never freed (see ``CellStorage``), so that no handle, however old, can dangle.
@safe @usableFromInline
struct ShardCells: @unchecked Sendable, BitwiseCopyable {
    /// Words between the same cell of two adjacent shards: 1024 cells, and 128 bytes of padding, so that neither a
    /// cache line nor the pair of lines that the prefetcher fetches is shared by two shards, and so that the shards of
    /// one series do not all fall into the same set of the cache.
    @usableFromInline static var stride: Int { @inlinable @inline(__always) get { 1024 + 16 } }

    @usableFromInline let shared: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let shardCount: Int

    @inlinable
    init(shared: UnsafeMutablePointer<Atomic<UInt64>>, shardCount: Int) {
        unsafe self.shared = shared
        self.shardCount = shardCount
    }

    /// Adds in a worker's own shard. Single writer, hence load and store instead of a locked instruction.
    ///
    /// The store releases: a scrape that acquires the new value (of a counter that ends things) also sees the
    /// increments that happened before it (of the counter that began them). See `ReadPlan`. It costs nothing on
    /// x86-64 and one `stlr` on arm64.
    @inlinable @inline(__always)
    func add(_ amount: UInt64, shard: Int, cell: Int = 0) {
        precondition(UInt(bitPattern: shard) < UInt(bitPattern: shardCount), "no such shard")
        let address = unsafe shared + ((shard &+ 1) &* Self.stride &+ cell)
        let old = unsafe address.pointee.load(ordering: .relaxed)
        unsafe address.pointee.store(old &+ amount, ordering: .releasing)
    }

    /// Adds in the shard that all other threads share. Releasing for the same reason as ``add(_:shard:cell:)``; later
    /// adds continue the release sequence, so that a reader that acquires a sum has acquired every addend.
    @inlinable @inline(__always)
    func addShared(_ amount: UInt64, cell: Int = 0) {
        unsafe (shared + cell).pointee.wrappingAdd(amount, ordering: .releasing)
    }

    /// Overwrites the shared shard's cell.
    @inlinable @inline(__always)
    func storeShared(_ value: UInt64) {
        unsafe shared.pointee.store(value, ordering: .releasing)
    }

    /// Raises the shared shard's cell to at least `value`.
    @inlinable @inline(__always)
    func raiseShared(to value: UInt64) {
        _ = unsafe shared.pointee.max(value, ordering: .releasing)
    }

    /// The sum over the shards, each read once and acquiring: later reads see nothing older than these.
    func sum(cell: Int = 0) -> UInt64 {
        var address = unsafe shared + cell
        var total = unsafe address.pointee.load(ordering: .acquiring)
        for _ in 0..<shardCount {
            unsafe address += Self.stride
            total &+= unsafe address.pointee.load(ordering: .acquiring)
        }
        return total
    }

    /// Sets `width` cells to zero in every shard. Only when no shard and no scrape can still hold them.
    func reset(width: Int) {
        for shard in 0...shardCount {
            for cell in 0..<width {
                unsafe (shared + (shard * Self.stride + cell)).pointee.store(0, ordering: .relaxed)
            }
        }
    }
}
