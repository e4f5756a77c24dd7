import Synchronization

/// What a scrape needs of one series, in one piece of memory together with the text that precedes its values.
struct SeriesRecord: ~Copyable {
    /// Cells to read, unused in a derived gauge.
    let cells: LaneCells
    /// When it was registered; scrapes that began before do not show it.
    let visibleFrom: UInt64
    /// When it vanishes from the page; `UInt64.max` while somebody uses it.
    let expiresAt = Atomic<UInt64>(UInt64.max)
    /// Place in the scrape's snapshot, for counters that a derived gauge reads; -1 otherwise.
    let snapshotSlot = Atomic<Int>(-1)
    /// Bytes of prefixes, each preceded by its length in four bytes.
    let prefixBytes: Int
    let lines: Int
    /// Slots that a derived gauge adds and subtracts; they follow the prefixes' start at ``SeriesRecordPointer``.
    let beginnings: Int
    let endings: Int

    init(cells: LaneCells, visibleFrom: UInt64, prefixBytes: Int, lines: Int, beginnings: Int, endings: Int) {
        self.cells = cells
        self.visibleFrom = visibleFrom
        self.prefixBytes = prefixBytes
        self.lines = lines
        self.beginnings = beginnings
        self.endings = endings
    }
}

/// Points to a ``SeriesRecord``, behind which lie the slots of a derived gauge (32 bits each) and the prefixes, in the
/// arena of its family. Immutable after publication but for its two atomics; freed by ``free(in:)`` when no scrape can
/// hold it.
///
/// `@unchecked Sendable`: for those reasons, and because only the registry's sweep frees, by the rule of
/// ``ScrapeReaders``.
@safe
struct SeriesRecordPointer: @unchecked Sendable, BitwiseCopyable {
    private let raw: UnsafeMutableRawPointer

    private static var trailerOffset: Int { (MemoryLayout<SeriesRecord>.stride + 7) & ~7 }

    init(
        in arena: RecordArena, cells: LaneCells, visibleFrom: UInt64, prefixes: [[UInt8]], beginnings: [Int],
        endings: [Int]
    ) {
        let prefixBytes = prefixes.reduce(0) { $0 + 4 + $1.count }
        let slots = beginnings + endings
        unsafe raw = arena.allocate(bytes: Self.bytes(slots: slots.count, prefixBytes: prefixBytes))
        unsafe raw.bindMemory(to: SeriesRecord.self, capacity: 1).initialize(
            to: SeriesRecord(
                cells: cells, visibleFrom: visibleFrom, prefixBytes: prefixBytes, lines: prefixes.count,
                beginnings: beginnings.count, endings: endings.count))
        var cursor = unsafe raw + Self.trailerOffset
        for slot in slots {
            unsafe cursor.storeBytes(of: UInt32(slot), as: UInt32.self)
            unsafe cursor += 4
        }
        for prefix in prefixes {
            unsafe cursor.storeBytes(of: UInt32(prefix.count), as: UInt32.self)
            unsafe cursor += 4
            unsafe prefix.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(start: cursor, count: bytes.count).copyMemory(from: bytes)
            }
            unsafe cursor += prefix.count
        }
        // Read by wide copies, never shown.
        unsafe cursor.initializeMemory(as: UInt8.self, repeating: 0, count: ByteOutput.wideSlack)
    }

    /// Room for all of a record, and behind it for what a wide copy of the last prefix reads too much.
    private static func bytes(slots: Int, prefixBytes: Int) -> Int {
        trailerOffset + slots * 4 + prefixBytes + ByteOutput.wideSlack
    }

    /// The fixed part.
    var record: UnsafeMutablePointer<SeriesRecord> {
        @inline(__always) get { unsafe raw.assumingMemoryBound(to: SeriesRecord.self) }
    }

    /// The slots of a derived gauge: beginnings, then endings.
    var slots: UnsafeRawPointer {
        @inline(__always) get { unsafe UnsafeRawPointer(raw + Self.trailerOffset) }
    }

    /// The prefixes: four bytes of length and the text, for each line.
    var prefixes: UnsafeRawPointer {
        @inline(__always) get {
            unsafe slots + (record.pointee.beginnings &+ record.pointee.endings) &* 4
        }
    }

    /// The prefix of its first line.
    var firstPrefix: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: prefixes + 4, count: Int(prefixes.loadUnaligned(as: UInt32.self)))
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

    /// Gives the memory back to the arena that it came from; no scrape may hold it.
    func free(in arena: RecordArena) {
        let slots = unsafe record.pointee.beginnings + record.pointee.endings
        unsafe arena.free(raw, bytes: Self.bytes(slots: slots, prefixBytes: record.pointee.prefixBytes))
    }
}
