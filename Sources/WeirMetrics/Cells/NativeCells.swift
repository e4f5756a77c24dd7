import Synchronization

/// The cells of one native histogram: ``NativeLayout/cellCount`` of them in every shard, the shared shard first.
/// Wider than a chunk of ``CellStorage`` may be, hence a block of their own.
///
/// `@unchecked Sendable`, because: every access goes through an `Atomic`; the pointers never change; and neither cells
/// nor layout are ever freed (see ``CellStorage``), so that no handle, however old, can dangle.
@safe @usableFromInline
struct NativeCells: @unchecked Sendable, BitwiseCopyable {
    private let shared: UnsafeMutablePointer<Atomic<UInt64>>
    private let sharedLayout: UnsafePointer<NativeLayout>

    init(shared: UnsafeMutablePointer<Atomic<UInt64>>, layout: UnsafePointer<NativeLayout>) {
        unsafe self.shared = shared
        unsafe sharedLayout = layout
    }

    /// How its family sorts.
    var layout: NativeLayout {
        @inline(__always) get { unsafe sharedLayout.pointee }
    }

    /// Counts an observation in a worker's own shard; as ``ShardCells/add(_:shard:cell:)``.
    @usableFromInline
    func count(_ raw: UInt64, shard: Int) {
        precondition(UInt(bitPattern: shard) < UInt(bitPattern: layout.shardCount), "no such shard")
        let address = unsafe shared + ((shard &+ 1) &* layout.stride &+ layout.cell(of: raw))
        let old = unsafe address.pointee.load(ordering: .relaxed)
        unsafe address.pointee.store(old &+ 1, ordering: .releasing)
    }

    /// Counts an observation in the shard that all other threads share; as ``ShardCells/addShared(_:cell:)``.
    @usableFromInline
    func countShared(_ raw: UInt64) {
        unsafe (shared + layout.cell(of: raw)).pointee.wrappingAdd(1, ordering: .releasing)
    }

    /// The sum of a cell over the shards, each read once.
    @inline(__always)
    func sum(cell: Int) -> UInt64 {
        var address = unsafe shared + cell
        var total = unsafe address.pointee.load(ordering: .acquiring)
        for _ in 0..<layout.shardCount {
            unsafe address += layout.stride
            total &+= unsafe address.pointee.load(ordering: .acquiring)
        }
        return total
    }

    /// Observations in a classic bucket, not cumulative, `+Inf` last.
    func sum(classic bucket: Int) -> UInt64 {
        var total: UInt64 = 0
        for cell in layout.cells(ofClassic: bucket) { total &+= sum(cell: cell) }
        return total
    }

    /// Sets all cells to zero. Only when no shard and no scrape can still hold them.
    func reset() {
        for word in 0..<Self.words(of: layout) { unsafe (shared + word).pointee.store(0, ordering: .relaxed) }
    }

    /// Words of a whole block, the padding between its shards included.
    static func words(of layout: borrowing NativeLayout) -> Int { (layout.shardCount + 1) * layout.stride }
}

/// Hands out ``NativeCells`` and takes them back. Confined to the registry's mutex; blocks are never freed.
@safe
struct NativeCellStorage {
    private var free: [UnsafePointer<NativeLayout>: [NativeCells]] = unsafe [:]
    /// Bytes of all blocks so far.
    private(set) var allocatedBytes = 0

    /// Zeroed cells for a series of a family with that layout.
    mutating func allocate(_ layout: UnsafePointer<NativeLayout>) -> NativeCells {
        if let reused = unsafe free[layout]?.popLast() { return reused }
        let words = unsafe NativeCells.words(of: layout.pointee)
        allocatedBytes += words * 8
        return unsafe NativeCells(shared: CellStorage.allocateForever(words: words), layout: layout)
    }

    /// Takes cells back; the rules are those of ``CellStorage/free(_:width:)``.
    mutating func free(_ cells: NativeCells, _ layout: UnsafePointer<NativeLayout>) {
        cells.reset()
        unsafe free[layout, default: []].append(cells)
    }
}
