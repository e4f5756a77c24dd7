import Synchronization

/// What a scrape needs of one series, in one piece of memory together with its label pairs.
struct SeriesRecord: ~Copyable {
    /// Cells to read, unused in a derived gauge.
    let cells: ShardCells
    /// What few scrapes need of it.
    let appendix: SeriesAppendix
    /// When it was registered; scrapes that began before do not show it.
    let visibleFrom: UInt64
    /// When it vanishes from the page; `UInt64.max` while somebody uses it.
    let expiresAt = Atomic<UInt64>(UInt64.max)
    /// Place in the scrape's snapshot, for counters that a derived gauge reads; -1 otherwise.
    let snapshotSlot = Atomic<Int>(-1)
    /// Bytes of the label pairs.
    let pairsCount: UInt32
    /// Slots that a derived gauge adds and subtracts; they lie between this and the pairs.
    let beginnings: UInt32
    let endings: UInt32

    init(
        cells: ShardCells, appendix: SeriesAppendix, visibleFrom: UInt64, pairsCount: Int, beginnings: Int, endings: Int
    ) {
        self.cells = cells
        self.appendix = appendix
        self.visibleFrom = visibleFrom
        self.pairsCount = UInt32(pairsCount)
        self.beginnings = UInt32(beginnings)
        self.endings = UInt32(endings)
    }
}

/// Points to a ``SeriesRecord``, behind which lie the slots of a derived gauge (32 bits each) and the label pairs as its
/// lines hold them, in the arena of its family. Immutable after publication but for its two atomics; freed by
/// ``free(in:)`` when no scrape can hold it.
///
/// `@unchecked Sendable`: for those reasons, and because only the registry's sweep frees, by the rule of
/// ``ScrapeReaders``.
@safe
struct SeriesRecordPointer: @unchecked Sendable, BitwiseCopyable {
    private let raw: UnsafeMutableRawPointer

    private static var trailerOffset: Int { (MemoryLayout<SeriesRecord>.size + 3) & ~3 }

    init(
        in arena: RecordArena, cells: ShardCells, appendix: SeriesAppendix, visibleFrom: UInt64, pairs: [UInt8],
        beginnings: [Int], endings: [Int]
    ) {
        let slots = beginnings + endings
        unsafe raw = arena.allocate(bytes: Self.bytes(slots: slots.count, pairs: pairs.count))
        unsafe raw.bindMemory(to: SeriesRecord.self, capacity: 1).initialize(
            to: SeriesRecord(
                cells: cells, appendix: appendix, visibleFrom: visibleFrom, pairsCount: pairs.count,
                beginnings: beginnings.count, endings: endings.count))
        var cursor = unsafe raw + Self.trailerOffset
        for slot in slots {
            unsafe cursor.storeBytes(of: UInt32(slot), as: UInt32.self)
            unsafe cursor += 4
        }
        unsafe pairs.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(start: cursor, count: bytes.count).copyMemory(from: bytes)
        }
        // Read by wide copies, never shown.
        unsafe (cursor + pairs.count).initializeMemory(as: UInt8.self, repeating: 0, count: ByteOutput.wideSlack)
    }

    /// Room for all of a record, and behind it for what a wide copy of the pairs reads too much.
    private static func bytes(slots: Int, pairs: Int) -> Int {
        trailerOffset + slots * 4 + pairs + ByteOutput.wideSlack
    }

    /// The fixed part.
    var record: UnsafeMutablePointer<SeriesRecord> {
        @inline(__always) get { unsafe raw.assumingMemoryBound(to: SeriesRecord.self) }
    }

    /// The slots of a derived gauge: beginnings, then endings.
    var slots: UnsafeRawPointer {
        @inline(__always) get { unsafe UnsafeRawPointer(raw + Self.trailerOffset) }
    }

    /// The label pairs as they stand between the braces of a line, without those of its buckets; empty without labels.
    var pairs: UnsafeRawBufferPointer {
        @inline(__always) get {
            let start = unsafe slots + slotCount &* 4
            return unsafe UnsafeRawBufferPointer(start: start, count: Int(record.pointee.pairsCount))
        }
    }

    /// Beginnings and endings together; none but in a derived gauge.
    var slotCount: Int {
        @inline(__always) get { unsafe Int(record.pointee.beginnings &+ record.pointee.endings) }
    }

    /// What precedes its values in a protobuf message; see ``ProtobufFormat/prefix(of:labels:)``.
    var protobufPrefix: UnsafeRawBufferPointer {
        @inline(__always) get { unsafe record.pointee.appendix.protobuf }
    }

    /// Of a native histogram: the cells of its buckets.
    var native: NativeCells? {
        @inline(__always) get { unsafe record.pointee.appendix.native }
    }

    /// Shown in a scrape that began at `now`?
    @inline(__always)
    func isVisible(at now: UInt64) -> Bool {
        unsafe record.pointee.visibleFrom <= now && now < record.pointee.expiresAt.load(ordering: .relaxed)
    }

    /// Sets the end of visibility. Relaxed: it lies in the future (retirement) or is taken back (revival); which of the
    /// two a running scrape sees makes no difference to what it shows.
    func setExpiry(_ expiry: UInt64) {
        unsafe record.pointee.expiresAt.store(expiry, ordering: .relaxed)
    }

    /// Gives a counter its place in the snapshot, before the plan that fills it is published.
    func setSnapshotSlot(_ slot: Int) {
        unsafe record.pointee.snapshotSlot.store(slot, ordering: .releasing)
    }

    /// Tells records apart.
    var address: UInt {
        unsafe UInt(bitPattern: raw)
    }

    /// Gives the memory back to the arenas that it came from; no scrape may hold it.
    func free(in arena: RecordArena, appendices: RecordArena) {
        unsafe record.pointee.appendix.free(in: appendices)
        unsafe arena.free(raw, bytes: Self.bytes(slots: slotCount, pairs: Int(record.pointee.pairsCount)))
    }
}
