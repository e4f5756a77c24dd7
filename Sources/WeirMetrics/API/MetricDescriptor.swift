/// The description of a family of metrics: name, help, kind, unit and labels. A plain value; the registry checks it
/// when the first series is registered.
public struct MetricDescriptor: Sendable, Hashable {
    /// The kind of instrument, which is also the TYPE that a scrape reports.
    public enum Kind: Sendable, Hashable {
        /// Only ever rises.
        case counter
        /// Rises and falls.
        case gauge
        /// Counts observations in buckets. The bounds are inclusive, strictly rising, and given in the same raw unit as
        /// the observations (nanoseconds for ``Scale/nanosecondsAsSeconds``); the bucket `+Inf` is added by itself.
        case histogram(buckets: [UInt64])
    }

    /// How the integers inside become the numbers on the page: a power of ten, so that printing is exact.
    public struct Scale: Sendable, Hashable {
        /// Number of decimal digits behind the point, 0 to 9.
        let decimalDigits: Int

        /// The printed number is the integer itself.
        public static let one = Scale(decimalDigits: 0)
        /// Kept in nanoseconds, printed in seconds.
        public static let nanosecondsAsSeconds = Scale(decimalDigits: 9)
        /// Kept in microseconds, printed in seconds.
        public static let microsecondsAsSeconds = Scale(decimalDigits: 6)
        /// Kept in milliseconds, printed in seconds.
        public static let millisecondsAsSeconds = Scale(decimalDigits: 3)
    }

    /// The full name, as it is printed for counters and gauges (a counter's with `_total`).
    public var name: String
    /// One line for people, printed as HELP.
    public var help: String
    /// The kind of instrument.
    public var kind: Kind
    /// The base unit (`seconds`, `bytes`), empty when there is none. Text 0.0.4 cannot express it; OpenMetrics can.
    public var unit: String
    /// How raw integers are printed.
    public var scale: Scale
    /// Names of the labels, in the order in which the values are given at registration.
    public var labelNames: [String]
    /// False for counters that only feed a derived gauge and never appear on the page themselves.
    public var isExposed: Bool

    /// Describes a family.
    public init(
        name: String, help: String, kind: Kind, unit: String = "", scale: Scale = .one, labelNames: [String] = [],
        isExposed: Bool = true
    ) {
        self.name = name
        self.help = help
        self.kind = kind
        self.unit = unit
        self.scale = scale
        self.labelNames = labelNames
        self.isExposed = isExposed
    }
}

extension MetricDescriptor.Kind {
    /// The word of the TYPE line.
    var typeName: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    /// Number of cells that one series takes in every shard.
    var cellCount: Int {
        switch self {
        case .counter, .gauge: 1
        case .histogram(let buckets): buckets.count + 2
        }
    }

    /// Number of lines that one series takes on the page.
    var lineCount: Int {
        switch self {
        case .counter, .gauge: 1
        case .histogram(let buckets): buckets.count + 3
        }
    }
}
