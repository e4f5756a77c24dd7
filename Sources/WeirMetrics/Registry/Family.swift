/// All series of one name, as scrapes read them.
///
/// `@unchecked Sendable`, because nothing changes but the list, and the pointer's target is written before `init` ends.
@safe
final class Family: @unchecked Sendable {
    let descriptor: MetricDescriptor
    /// HELP and TYPE, in the text format and in OpenMetrics.
    private let textHeader: [UInt8]
    private let openMetricsHeader: [UInt8]
    /// The parts of lines that all its series share.
    let templates: LineTemplates
    /// In registration order.
    let series = PublishedList<SeriesRecordPointer>()
    /// A histogram's bounds.
    let bounds: BucketBounds?
    /// The layout of native buckets; nil unless the family's histograms are native, too.
    let nativeLayout: UnsafePointer<NativeLayout>?
    /// All fields of the protobuf message but its metrics.
    let protobufHeader: [UInt8]

    init(descriptor: MetricDescriptor, nativeSchema: Int? = nil, shardCount: Int = 0) {
        self.descriptor = descriptor
        textHeader = TextFormat.header(of: descriptor)
        openMetricsHeader = OpenMetricsFormat.header(of: descriptor)
        protobufHeader = ProtobufFormat.header(of: descriptor)
        templates = LineTemplates(TextFormat.templates(of: descriptor))
        if case .histogram(let buckets) = descriptor.kind {
            bounds = BucketBounds(buckets)
            unsafe nativeLayout = nativeSchema.map { schema in
                unsafe NativeLayout.make(
                    schema: schema, scale: descriptor.scale, classic: buckets, shardCount: shardCount)
            }
        } else {
            bounds = nil
            unsafe nativeLayout = nil
        }
    }

    /// The bytes before its series on a page.
    func header(_ format: ExpositionFormat) -> [UInt8] {
        switch format {
        case .text004: textHeader
        case .openMetrics100: openMetricsHeader
        case .delimitedProtobuf: protobufHeader
        }
    }

    /// Whether its histograms are kept as native ones, too.
    var hasNative: Bool { unsafe nativeLayout != nil }

    /// Number of ordinary cells of one series in every shard: for a native histogram the sum only.
    var cellCount: Int {
        hasNative ? 1 : descriptor.kind.cellCount
    }
}

/// A family in the list that scrapes walk: without reference counting, since the registry's state keeps every family.
///
/// `@unchecked Sendable`, because the class is; `Unmanaged`, because the registry's state outlives every scrape.
@safe
struct FamilyReference: @unchecked Sendable, BitwiseCopyable {
    private let reference: Unmanaged<Family>

    init(_ family: Family) {
        // Proof: as above.
        unsafe reference = Unmanaged.passUnretained(family)
    }

    /// Calls `body` with the family.
    @inline(__always)
    func with<Result>(_ body: (Family) -> Result) -> Result {
        unsafe reference._withUnsafeGuaranteedRef { body($0) }
    }
}
