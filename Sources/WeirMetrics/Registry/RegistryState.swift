/// The part of the registry that neither updates nor scrapes read. Confined to the registry's mutex; what
/// scrapes see changes through the ``PublishedList``s only.
struct RegistryState {
    final class FamilyEntry {
        let family: Family
        let records = SeriesRecordArena()
        let protobufArena = SeriesRecordArena()
        var byLabels: [[String]: Series] = [:]

        init(_ family: Family) {
            self.family = family
        }
    }

    /// A retired series, and since when; stale if it was revived meanwhile.
    struct Retirement {
        let series: Series
        let deadline: UInt64
    }

    let readers: ScrapeReaders
    let acknowledgements: ShardAcknowledgements
    let families: PublishedList<FamilyReference>
    let plan: PublishedList<PlanEntry>
    let maxSeries: Int
    let retiredSeriesTTL: UInt64

    /// The schema of native histograms, where the registry keeps them.
    let nativeSchema: Int?
    /// Nanoseconds since 1970, where the times at which series began are told.
    let wallClock: (@Sendable () -> Int64)?

    var cells: CellStorage
    var nativeCells = NativeCellStorage()
    var entries: [String: FamilyEntry] = [:]
    var occupiedNames: [String: String] = [:]
    var bySerial: [UInt64: Series] = [:]
    var lines = 0

    /// Counters in the plan, in its order, and the live derived gauges.
    var planned: [Series] = []
    var nextPlanPosition = 0
    var derived: [UInt64: Series] = [:]
    var freeSlots: [Int] = []
    var nextSlot = 0

    /// The stages of leaving: retired → expired (no new scrape shows it) → unlinked (no list holds it) → freed. The
    /// epochs say which scrapes must have ended before the next stage.
    var retired: [Retirement] = []
    /// Retired series that do not stay visible, until the next sweep.
    var departed: [Retirement] = []
    var expired: [(series: Series, epoch: UInt64)] = []
    var unlinked: [(series: Series, epoch: UInt64)] = []
    var deferredFrees: [(block: DeferredFree, epoch: UInt64)] = []

    init(
        readers: ScrapeReaders, acknowledgements: ShardAcknowledgements, families: PublishedList<FamilyReference>,
        plan: PublishedList<PlanEntry>, maxSeries: Int, retiredSeriesTTL: UInt64, nativeSchema: Int?,
        wallClock: (@Sendable () -> Int64)?
    ) {
        self.readers = readers
        self.acknowledgements = acknowledgements
        self.families = families
        self.plan = plan
        self.maxSeries = maxSeries
        self.retiredSeriesTTL = retiredSeriesTTL
        self.nativeSchema = nativeSchema
        self.wallClock = wallClock
        cells = CellStorage(shardCount: acknowledgements.shardCount)
    }

    /// Frees a block after the running scrapes have ended (epoch-based reclamation; the rule is ``ScrapeReaders``').
    mutating func freeAfterReaders(_ block: DeferredFree?) {
        guard let block else { return }
        deferredFrees.append((block, readers.advance()))
    }

    /// Frees what is not freed with the entries and their arenas; no scrape may be running.
    mutating func freeAll() {
        for item in deferredFrees { item.block.deallocate() }
    }
}
