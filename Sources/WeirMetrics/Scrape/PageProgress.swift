/// How far a page is that is rendered in pieces. The lists that it points to are those of the moment in which it began,
/// or in which their family did; they stay as long as the scrape is announced (``ScrapeReaders``).
@safe
struct PageProgress {
    /// The work of looking at a family or a series that the filter may leave out, in lines.
    static let familyWork = 4

    let format: ExpositionFormat
    let filter: PageFilter?
    /// The moment that decides which series are on the page.
    let now: UInt64
    let families: UnsafeBufferPointer<FamilyReference>
    /// The next family, and in it the next series.
    var family = 0
    var series = 0
    /// The series of that family, once it has begun.
    var familySeries: UnsafeBufferPointer<SeriesRecordPointer>
    /// Whether its header is written, and how many lines of it are.
    var isFamilyAnnounced = false
    var familyLines = 0

    init(
        format: ExpositionFormat, filter: PageFilter?, now: UInt64, families: UnsafeBufferPointer<FamilyReference>
    ) {
        self.format = format
        self.filter = filter
        self.now = now
        unsafe self.families = families
        unsafe familySeries = UnsafeBufferPointer(start: nil, count: 0)
    }

    /// How many lines' work a series is: reading the cells of a native histogram is work, too.
    func workPerSeries(of family: Family) -> Int {
        let cells = unsafe family.nativeLayout?.pointee.cellCount ?? 0
        return family.templates.lineCount + cells + (filter == nil ? 0 : Self.familyWork)
    }

    mutating func beginNextFamily() {
        family += 1
        series = 0
        isFamilyAnnounced = false
        familyLines = 0
    }
}
