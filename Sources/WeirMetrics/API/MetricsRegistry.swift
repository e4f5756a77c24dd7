import Synchronization
import Threading

/// The metrics of a program: hands out series, and renders a page of all of them.
///
/// Updates are wait-free and take no lock. A scrape takes no lock either and waits for no other thread, not even for
/// one that was suspended within a registration. Registrations and retirements exclude each other by a mutex and
/// publish their changes in single atomic steps.
///
/// A worker owns a *shard* (0 ..< shardCount), in which only its thread writes; all other threads share one more shard.
/// Make one registry per program: cells are never given back to the system (see ``Counter``).
public final class MetricsRegistry: Sendable {
    /// Number of worker shards.
    public let shardCount: Int
    let readers = ScrapeReaders()
    let families = PublishedList<FamilyReference>()
    let plan = PublishedList<PlanEntry>()
    let clock: @Sendable () -> UInt64
    private let acknowledgements: ShardAcknowledgements
    private let state: Lock<RegistryState>
    private let dropped = Atomic<UInt64>(0)
    let callbacks = CollectCallbacks()

    /// The schemas that ``init(shardCount:maxSeries:retiredSeriesTTL:nativeHistogramSchema:clock:wallClock:)`` takes.
    public static let nativeHistogramSchemas = NativeLayout.schemas

    /// Appears on no page: for callers whose registration was refused and that go on without it.
    public let discardingCounter: Counter
    /// Appears on no page: for callers whose registration was refused and that go on without it.
    public let discardingGauge: Gauge
    /// Appears on no page: for callers whose registration was refused and that go on without it.
    public let discardingHistogram: Histogram

    /// - Parameters:
    ///   - shardCount: number of workers, each the only writer of its shard.
    ///   - maxSeries: the maximum number of lines on a page; further registrations throw.
    ///   - retiredSeriesTTL: how long a retired series stays on the page.
    ///   - nativeHistogramSchema: one of ``nativeHistogramSchemas``: every histogram is also kept as a native one, with
    ///     2^schema buckets to each power of two; nil keeps classic histograms only. A series then takes 44 × 2^schema
    ///     cells of eight bytes in each shard, the shared one included. Only ``ExpositionFormat/delimitedProtobuf``
    ///     shows native histograms.
    ///   - clock: monotonic nanoseconds, from any start; called on any thread.
    ///   - wallClock: nanoseconds since 1970, for the times at which counters and histograms began, which
    ///     ``ExpositionFormat/delimitedProtobuf`` tells; called on any thread. By default these times are not told.
    public init(
        shardCount: Int, maxSeries: Int = 1_000_000, retiredSeriesTTL: Duration = .seconds(300),
        nativeHistogramSchema: Int? = nil,
        clock: @escaping @Sendable () -> UInt64 = MetricsRegistry.monotonicClock(),
        wallClock: (@Sendable () -> Int64)? = nil
    ) {
        precondition(shardCount >= 0 && maxSeries >= 0)
        precondition(nativeHistogramSchema.map(NativeLayout.schemas.contains) ?? true, "no such schema")
        self.shardCount = shardCount
        self.clock = clock
        let acknowledgements = ShardAcknowledgements(shardCount: shardCount)
        self.acknowledgements = acknowledgements
        var state = RegistryState(
            readers: readers, acknowledgements: acknowledgements, families: families, plan: plan,
            maxSeries: maxSeries, retiredSeriesTTL: retiredSeriesTTL.clampedNanoseconds,
            nativeSchema: nativeHistogramSchema, wallClock: wallClock)
        discardingCounter = Counter(cells: state.cells.allocate(width: 1), serial: 0)
        discardingGauge = Gauge(cells: state.cells.allocate(width: 1), serial: 0)
        discardingHistogram = Histogram(
            cells: state.cells.allocate(width: 2), bounds: BucketBounds([]), native: nil, serial: 0)
        self.state = Lock(state)
    }

    deinit {
        state.withLock { $0.freeAll() }
    }

    /// Lines that were not registered because the page was full.
    public var droppedSeries: UInt64 {
        dropped.load(ordering: .relaxed)
    }

    /// Fixes the family's position on the page (families come in the order in which they were first declared or
    /// registered), and checks the descriptor.
    public func declare(_ descriptor: MetricDescriptor) throws(RegistrationError) {
        try withState { state, _ throws(RegistrationError) in _ = try state.entry(for: descriptor) }
    }

    /// The counter with these label values; the same one for the same values, with one owner more.
    ///
    /// A hidden counter is not on the page until it is registered again without `isHidden`, and then stays there.
    /// Members of a derived gauge that cannot occur yet are hidden, so that the gauge's derivation need not change when
    /// they can.
    public func counter(
        _ descriptor: MetricDescriptor, labels: [String] = [], isHidden: Bool = false
    ) throws(RegistrationError) -> Counter {
        guard case .counter = descriptor.kind else {
            throw .wrongKind(metric: descriptor.name, expected: "counter")
        }
        return try withState { state, now throws(RegistrationError) in
            let series = try state.series(
                descriptor, labels: labels, isHidden: isHidden, now: now, dropped: self.drop)
            return Counter(cells: series.cells, serial: series.serial)
        }
    }

    /// The gauge with these label values; the same one for the same values, with one owner more.
    public func gauge(_ descriptor: MetricDescriptor, labels: [String] = []) throws(RegistrationError) -> Gauge {
        guard case .gauge = descriptor.kind else { throw .wrongKind(metric: descriptor.name, expected: "gauge") }
        return try withState { state, now throws(RegistrationError) in
            let series = try state.series(descriptor, labels: labels, now: now, dropped: self.drop)
            return Gauge(cells: series.cells, serial: series.serial)
        }
    }

    /// The histogram with these label values; the same one for the same values, with one owner more.
    public func histogram(
        _ descriptor: MetricDescriptor, labels: [String] = []
    ) throws(RegistrationError) -> Histogram {
        guard case .histogram = descriptor.kind else {
            throw .wrongKind(metric: descriptor.name, expected: "histogram")
        }
        return try withState { state, now throws(RegistrationError) in
            let series = try state.series(descriptor, labels: labels, now: now, dropped: self.drop)
            guard let bounds = series.family.bounds else { preconditionFailure("a histogram has bounds") }
            return Histogram(cells: series.cells, bounds: bounds, native: series.native, serial: series.serial)
        }
    }

    /// A gauge that is always beginnings − endings, exactly, on every page, and never negative as long as each ending
    /// follows its beginning (see ``DerivedGauge``). The counters stay registered at least as long as the gauge.
    public func derivedGauge(
        _ descriptor: MetricDescriptor, labels: [String] = [], beginnings: [Counter], endings: [Counter]
    ) throws(RegistrationError) -> DerivedGauge {
        guard case .gauge = descriptor.kind else { throw .wrongKind(metric: descriptor.name, expected: "gauge") }
        return try withState { state, now throws(RegistrationError) in
            let series = try state.derivedGauge(
                descriptor, labels: labels, beginnings: beginnings.map(\.serial), endings: endings.map(\.serial),
                now: now, dropped: self.drop)
            return DerivedGauge(beginnings: beginnings, endings: endings, serial: series.serial)
        }
    }

    /// Gives up one ownership of a series. When the last owner does, the series stays on the page for
    /// `retiredSeriesTTL`; if it is registered again within that time, it goes on counting from its last value.
    ///
    /// After that its cells are used again, but only when every shard has acknowledged (``acknowledge(shard:)``). Other
    /// threads must have stopped using the handle before it is retired.
    public func retire(_ handle: some MetricHandle) {
        retire(serials: [handle.seriesID.serial])
    }

    /// A new, empty group of series that are retired together.
    public func group() -> SeriesGroup {
        SeriesGroup(registry: self)
    }

    /// Declares that this worker holds no handle that was retired before this call. Once per loop turn, on the worker's
    /// own thread: one load and one store. A worker that never calls it only keeps retired cells from being reused.
    public func acknowledge(shard: Int) {
        acknowledgements.acknowledge(shard: shard, epoch: readers.current)
    }

    /// Frees expired series. Registrations and retirements do this, too; call it now and then if memory should be freed
    /// without them. Not from a worker or a scrape: it may wait for a registration.
    public func sweep() {
        withState { _, _ in }
    }

    /// Calls `refresh` before each page is rendered, on the scraping thread, to set gauges that mirror something else.
    /// Two scrapes at once call it at once. Callbacks stay for the life of the registry.
    public func onCollect(_ refresh: @escaping @Sendable () -> Void) {
        callbacks.append(refresh)
    }

    /// Bytes of cells so far, for tests of memory use.
    var allocatedCellBytes: Int {
        state.withLock { $0.cells.allocatedBytes + $0.nativeCells.allocatedBytes }
    }

    /// Bytes of records so far, for tests of memory use.
    var allocatedRecordBytes: Int {
        state.withLock { state in
            state.entries.values.reduce(0) { $0 + $1.records.allocatedBytes + $1.protobufArena.allocatedBytes }
        }
    }

    func retire(serials: [UInt64], leavingAtOnce gauges: [UInt64] = []) {
        withState { state, now in
            for serial in serials {
                if let series = state.bySerial[serial] { state.release(series, now: now) }
            }
            for serial in gauges {
                if let series = state.bySerial[serial] { state.release(series, now: now, staysVisible: false) }
            }
            state.sweep(now: now)
        }
    }

    private func drop(_ lines: Int) {
        dropped.wrappingAdd(UInt64(lines), ordering: .relaxed)
    }

    private func withState<Result: Sendable, Failure: Error>(
        _ body: (inout RegistryState, UInt64) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try state.withLock { state throws(Failure) in
            // Read under the lock, so that the times in it never run backwards.
            let now = clock()
            state.sweep(now: now)
            return try body(&state, now)
        }
    }
}

extension MetricsRegistry {
    /// A clock of nanoseconds since this call, from the system's monotonic clock.
    public static func monotonicClock() -> @Sendable () -> UInt64 {
        let start = ContinuousClock.now
        return { (ContinuousClock.now - start).clampedNanoseconds }
    }
}
