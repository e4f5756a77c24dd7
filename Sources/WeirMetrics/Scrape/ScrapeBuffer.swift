/// The work space of a scrape: the page, the snapshot, and the announcement that it is running. Keep one per exporter
/// connection or thread and reuse it: it grows to the largest page and then allocates nothing.
///
/// It cannot be copied, so that two scrapes can never share one; several buffers may scrape one registry at the same
/// time, from any threads.
public struct ScrapeBuffer: ~Copyable {
    var output: ByteOutput
    var snapshot = ScrapeSnapshot()
    var protobuf = ProtobufScratch()
    var slot: ScrapeReaders.Slot?
    /// The page that is being rendered in pieces.
    var page: PageProgress?
    /// Number of series lines (comments not counted) of the last page.
    public internal(set) var seriesLines = 0

    /// - Parameter capacity: bytes to reserve for the page from the start.
    public init(capacity: Int = 16 * 1024) {
        output = ByteOutput(capacity: capacity)
    }

    deinit {
        if page != nil, let slot { ScrapeReaders.leave(slot) }
        // Release: the next owner of the slot takes over from here.
        slot?.isTaken.store(false, ordering: .releasing)
    }

    /// Gives up the page that was begun and is not complete, and with it the memory that is kept for it. Does nothing
    /// where there is none.
    public mutating func dropPage() {
        page = nil
        if let slot { ScrapeReaders.leave(slot) }
    }

    /// Length of the last page, or piece of one, in bytes.
    public var count: Int { output.count }

    /// Calls `body` with the bytes of the last page, or piece of one.
    public func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(output.bytes.bindMemory(to: UInt8.self).span)
    }

    /// Calls `body` with the bytes of the last page, or piece of one; the pointer is valid during the call only.
    @unsafe
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(output.bytes)
    }

    /// The last page as text. Allocates; for tests and tools.
    public var text: String {
        withBytes { bytes in
            String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        }
    }
}

/// One reading of each counter that takes part in a derived gauge.
struct ScrapeSnapshot: ~Copyable {
    private var values: [UInt64] = []
    private var stamps: [UInt64] = []
    private var stamp: UInt64 = 0

    /// Forgets all readings.
    mutating func begin() {
        stamp += 1
    }

    mutating func record(_ value: UInt64, slot: Int) {
        if slot >= values.count { grow(to: slot + 1) }
        values[slot] = value
        stamps[slot] = stamp
    }

    /// The reading, if this scrape took one.
    func value(slot: Int) -> UInt64? {
        slot >= 0 && slot < values.count && stamps[slot] == stamp ? values[slot] : nil
    }

    private mutating func grow(to count: Int) {
        let missing = Swift.max(count, values.count * 2) - values.count
        values += repeatElement(0, count: missing)
        stamps += repeatElement(0, count: missing)
    }
}
