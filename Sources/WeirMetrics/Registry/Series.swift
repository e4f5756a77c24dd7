/// One series in the registry's state. Confined to the registry's mutex.
final class Series {
    let serial: UInt64
    let family: Family
    let labels: [String]
    let cells: ShardCells
    /// The bucket cells; nil unless this is a native histogram.
    let native: NativeCells?
    let record: SeriesRecordPointer
    /// The counters of a derived gauge, which keeps them alive; empty otherwise.
    let beginnings: [Series]
    let endings: [Series]
    let isDerived: Bool
    /// Whether it is on no page yet: it only feeds a derived gauge.
    var isHidden: Bool
    /// Number of owners; retired at zero.
    var owners = 1
    /// End of visibility, when retired. Nanoseconds of the registry's clock.
    var deadline = UInt64.max
    /// Epoch that every shard must acknowledge before the cells are used again.
    var shardEpoch: UInt64 = 0
    /// Index in the snapshot and position in the plan, for counters that take part in a derived gauge.
    var slot: Int?
    var planPosition: Int?

    init(
        family: Family, labels: [String], cells: ShardCells, native: NativeCells? = nil, record: SeriesRecordPointer,
        beginnings: [Series], endings: [Series], isDerived: Bool, isHidden: Bool = false
    ) {
        serial = ScrapeReaders.makeSerial()
        self.family = family
        self.labels = labels
        self.cells = cells
        self.native = native
        self.record = record
        self.beginnings = beginnings
        self.endings = endings
        self.isDerived = isDerived
        self.isHidden = isHidden
    }

    var lines: Int { family.descriptor.isExposed && !isHidden ? family.descriptor.kind.lineCount : 0 }
    var components: [Series] { beginnings + endings }
}
