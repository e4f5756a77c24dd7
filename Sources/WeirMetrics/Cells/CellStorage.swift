import Synchronization

/// The allocator of cells. Chunks of 1024 cells per shard are added as they are needed and never move; freed runs are
/// kept by width and reused. Confined to the registry's mutex.
///
/// Chunks are **never freed**, not even with their registry: handles are plain values without reference counting (a
/// count would be a cache line that all workers fight for), and this is what makes an old handle harmless. A program
/// has one registry, so nothing is lost; the addresses are kept, so that leak checkers see them.
@safe
struct CellStorage {
    static let cellsPerChunk = 1024
    /// The newest block of ``allocateForever(words:)``; each block begins with the address of the one before.
    private static let newestBlock = Atomic<UInt>(0)
    /// Words of each block's header: one for that address, the rest keeps the alignment.
    private static let headerWords = 16

    let shardCount: Int
    private var freeRuns: [Int: [ShardCells]] = [:]
    private var nextRun: UnsafeMutablePointer<Atomic<UInt64>>?
    private var cellsLeft = 0
    /// Bytes of all chunks so far.
    private(set) var allocatedBytes = 0

    init(shardCount: Int) {
        self.shardCount = shardCount
    }

    /// `width` zeroed adjacent cells in every shard.
    mutating func allocate(width: Int) -> ShardCells {
        precondition(width > 0 && width <= Self.cellsPerChunk)
        if let reused = freeRuns[width]?.popLast() { return reused }
        if cellsLeft < width { addChunk() }
        guard let start = unsafe nextRun else { preconditionFailure("a chunk was just added") }
        unsafe nextRun = start + width
        cellsLeft -= width
        return unsafe ShardCells(shared: start, shardCount: shardCount)
    }

    /// Takes cells back. They must be out of reach of every shard, every scrape and every thread without a shard.
    mutating func free(_ cells: ShardCells, width: Int) {
        cells.reset(width: width)
        freeRuns[width, default: []].append(cells)
    }

    private mutating func addChunk() {
        // The rest of the old chunk is too short for this width, but serves narrower ones.
        if let rest = unsafe nextRun, cellsLeft > 0 {
            for offset in 0..<cellsLeft {
                freeRuns[1, default: []].append(unsafe ShardCells(shared: rest + offset, shardCount: shardCount))
            }
        }
        let words = (shardCount + 1) * ShardCells.stride
        let start = unsafe Self.allocateForever(words: words)
        allocatedBytes += words * 8
        unsafe nextRun = start
        cellsLeft = Self.cellsPerChunk
    }

    /// Zeroed words, aligned to two cache lines, that live as long as the process.
    static func allocateForever(words: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let total = words + headerWords
        let raw = UnsafeMutableRawPointer.allocate(byteCount: total * 8, alignment: 128)
        unsafe raw.initializeMemory(as: UInt64.self, repeating: 0, count: total)
        // Chained, so that leak checkers find every block reachable. No code follows the chain.
        var previous = newestBlock.load(ordering: .relaxed)
        while true {
            unsafe raw.storeBytes(of: previous, as: UInt.self)
            let (exchanged, original) = newestBlock.compareExchange(
                expected: previous, desired: UInt(bitPattern: raw), ordering: .releasing)
            if exchanged { break }
            previous = original
        }
        // Atomic<UInt64> has the layout of UInt64, and its zero is all zeros.
        return unsafe (raw + headerWords * 8).bindMemory(to: Atomic<UInt64>.self, capacity: words)
    }
}
