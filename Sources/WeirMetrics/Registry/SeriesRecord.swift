import Synchronization

/// One series as scrapes read it, in one piece of memory together with its label pairs.
struct SeriesRecord: ~Copyable {
    /// Cells to read, unused in a derived gauge.
    let cells: ShardCells
    /// Read by protobuf scrapes only.
    let protobufData: SeriesProtobufData
    /// When it was registered, in nanoseconds of the registry's clock; scrapes that began before do not show it.
    let visibleFrom: UInt64
    /// When it vanishes from the page; `UInt64.max` while it has an owner. Nanoseconds of the registry's clock.
    let expiresAt = Atomic<UInt64>(UInt64.max)
    /// Index in the scrape's snapshot, for counters that a derived gauge reads; -1 otherwise.
    let snapshotSlot = Atomic<Int>(-1)
    /// Bytes of the label pairs.
    let pairsCount: UInt32
    /// Slots that a derived gauge adds and subtracts; they lie between this and the pairs.
    let beginnings: UInt32
    let endings: UInt32

    init(
        cells: ShardCells, protobufData: SeriesProtobufData, visibleFrom: UInt64, pairsCount: Int, beginnings: Int,
        endings: Int
    ) {
        self.cells = cells
        self.protobufData = protobufData
        self.visibleFrom = visibleFrom
        self.pairsCount = UInt32(pairsCount)
        self.beginnings = UInt32(beginnings)
        self.endings = UInt32(endings)
    }
}

/// Points to a ``SeriesRecord`` in the arena of its family. The slots of a derived gauge (32 bits each) follow the
/// record, then the label pairs in the form of the text format. Immutable after publication but for its two atomics;
/// freed by ``free(in:protobufArena:)`` when no scrape can hold it.
///
/// `@unchecked Sendable`: for those reasons, and because only the registry's sweep frees, by the rule of
/// ``ScrapeReaders``.
@safe
struct SeriesRecordPointer: @unchecked Sendable, BitwiseCopyable {
    private let raw: UnsafeMutableRawPointer

    private static var trailerOffset: Int { (MemoryLayout<SeriesRecord>.size + 3) & ~3 }

    init(
        in arena: SeriesRecordArena, cells: ShardCells, protobufData: SeriesProtobufData, visibleFrom: UInt64,
        pairs: [UInt8], beginnings: [Int], endings: [Int]
    ) {
        let slots = beginnings + endings
        unsafe raw = arena.allocate(bytes: Self.bytes(slots: slots.count, pairs: pairs.count))
        unsafe raw.bindMemory(to: SeriesRecord.self, capacity: 1).initialize(
            to: SeriesRecord(
                cells: cells, protobufData: protobufData, visibleFrom: visibleFrom, pairsCount: pairs.count,
                beginnings: beginnings.count, endings: endings.count))
        var cursor = unsafe raw + Self.trailerOffset
        for slot in slots {
            unsafe cursor.storeBytes(of: UInt32(slot), as: UInt32.self)
            unsafe cursor += 4
        }
        unsafe pairs.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(start: cursor, count: bytes.count).copyMemory(from: bytes)
        }
        // Wide copies read these bytes; no page shows them.
        unsafe (cursor + pairs.count).initializeMemory(as: UInt8.self, repeating: 0, count: ByteOutput.wideSlack)
    }

    /// Bytes of a whole record, with those behind the pairs that a wide copy may read.
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

    /// The label pairs between the braces of a line, without `le`; empty without labels.
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

    /// The bytes that precede its values in a protobuf message; see ``ProtobufFormat/prefix(of:labels:began:)``.
    var protobufPrefix: UnsafeRawBufferPointer {
        @inline(__always) get { unsafe record.pointee.protobufData.protobuf }
    }

    /// The bucket cells; nil unless this is a native histogram.
    var native: NativeCells? {
        @inline(__always) get { unsafe record.pointee.protobufData.native }
    }

    /// Whether the series appears in a scrape that began at `now`.
    @inline(__always)
    func isVisible(at now: UInt64) -> Bool {
        unsafe record.pointee.visibleFrom <= now && now < record.pointee.expiresAt.load(ordering: .relaxed)
    }

    /// Sets the end of visibility. Relaxed: it lies in the future (retirement) or is taken back (revival); which of the
    /// two a running scrape sees makes no difference to what it shows.
    func setExpiry(_ expiry: UInt64) {
        unsafe record.pointee.expiresAt.store(expiry, ordering: .relaxed)
    }

    /// Gives a counter its index in the snapshot, before the plan that fills it is published.
    func setSnapshotSlot(_ slot: Int) {
        unsafe record.pointee.snapshotSlot.store(slot, ordering: .releasing)
    }

    /// Tells records apart.
    var address: UInt {
        unsafe UInt(bitPattern: raw)
    }

    /// Gives the memory back to the arenas that it came from; no scrape may hold it.
    func free(in arena: SeriesRecordArena, protobufArena: SeriesRecordArena) {
        unsafe record.pointee.protobufData.free(in: protobufArena)
        unsafe arena.free(raw, bytes: Self.bytes(slots: slotCount, pairs: Int(record.pointee.pairsCount)))
    }
}
