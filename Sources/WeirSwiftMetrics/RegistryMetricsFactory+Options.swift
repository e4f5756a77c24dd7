public import WeirMetrics

extension RegistryMetricsFactory {
    /// The settings of a factory. Closures are called with the label as the program wrote it, while
    /// the factory's lock is held: they must not make metrics. ``onRefusal`` is called without it.
    public struct Options: Sendable {
        /// The prefix of all names, `myapp_` for example.
        public var prefix = ""
        /// Names of dimensions by label, for metrics whose first use has not all of them. If a label is not listed, its
        /// first use decides.
        public var dimensions: [String: [String]] = [:]
        /// The maximum number of names. Names are never freed, so this bounds the cost of labels that are made up at
        /// run time.
        public var maxNames = 10_000
        /// The bounds of a timer's buckets in seconds, inclusive and rising; `+Inf` is added by itself.
        public var timerBuckets: @Sendable (_ label: String) -> [Double] = { _ in
            [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
        }
        /// The bounds of a recorder's buckets, inclusive and rising; `+Inf` is added by itself.
        public var recorderBuckets: @Sendable (_ label: String) -> [Double] = { _ in
            [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
        }
        /// The unit of fractions: floating-point counters, meters and recorders.
        public var resolution: @Sendable (_ label: String) -> Resolution = { _ in .millionths }
        /// Called for each metric that could not be registered, on the thread that asked for it. For a log.
        public var onRefusal: @Sendable (Refusal) -> Void = { _ in }

        /// Creates the default options.
        public init() {}
    }

    /// The unit in which numbers with fractions are kept. The registry keeps integers, so that sums are exact whatever
    /// the order of the additions; a finer unit leaves less room for large numbers.
    public enum Resolution: Sendable, Hashable, CaseIterable {
        /// No fractions; up to 9.2 × 10¹⁸.
        case whole
        /// Up to 9.2 × 10¹⁵.
        case thousandths
        /// Up to 9.2 × 10¹².
        case millionths
        /// Up to 9.2 × 10⁹.
        case billionths

        /// Units that make 1.
        var unitsPerOne: Int64 {
            switch self {
            case .whole: 1
            case .thousandths: 1000
            case .millionths: 1_000_000
            case .billionths: 1_000_000_000
            }
        }

        /// How the registry prints them.
        var scale: MetricDescriptor.Scale {
            switch self {
            case .whole: .one
            case .thousandths: .millisecondsAsSeconds
            case .millionths: .microsecondsAsSeconds
            case .billionths: .nanosecondsAsSeconds
            }
        }
    }

    /// The reason why a metric is not on the page.
    public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// The registry refused it: the page is full, the name belongs to another metric, or buckets do not rise.
        case registration(RegistrationError)
        /// The name is in use for another instrument of swift-metrics.
        case anotherInstrument(metric: String)
        /// The first use of the name had no such dimension, and ``Options/dimensions`` does not list it.
        case unknownDimension(metric: String, dimension: String)
        /// ``Options/maxNames`` is reached.
        case tooManyNames(metric: String, limit: Int)

        /// A sentence for logs.
        public var description: String {
            switch self {
            case .registration(let error): "\(error)"
            case .anotherInstrument(let metric): "\(metric): in use for another instrument"
            case .unknownDimension(let metric, let dimension):
                "\(metric): the dimension '\(dimension)' was not there at its first use"
            case .tooManyNames(let metric, let limit): "\(metric): the limit of \(limit) names is reached"
            }
        }
    }
}

extension RegistryMetricsFactory.Options {
    /// The family that the first metric of a name makes.
    func family(
        _ name: String, _ instrument: Instrument, label: String, labelNames: [String]
    ) throws(RegistryMetricsFactory.Refusal) -> BridgedFamily {
        let resolution: RegistryMetricsFactory.Resolution =
            switch instrument {
            case .counter: .whole
            case .timer: .billionths
            case .floatingPointCounter, .meter, .recorder: self.resolution(label)
            }
        let kind: MetricDescriptor.Kind =
            switch instrument {
            case .counter, .floatingPointCounter: .counter
            case .meter: .gauge
            case .recorder: .histogram(buckets: try bounds(recorderBuckets(label), name, resolution))
            case .timer: .histogram(buckets: try bounds(timerBuckets(label), name, resolution))
            }
        let declared = dimensions[label, default: []].map(MetricNaming.label)
        let descriptor = MetricDescriptor(
            name: name, help: "\(label), from swift-metrics.", kind: kind, unit: instrument == .timer ? "seconds" : "",
            scale: resolution.scale, labelNames: Set(labelNames + declared).sorted())
        return BridgedFamily(instrument: instrument, descriptor: descriptor, resolution: resolution)
    }

    private func bounds(
        _ bounds: [Double], _ name: String, _ resolution: RegistryMetricsFactory.Resolution
    ) throws(RegistryMetricsFactory.Refusal) -> [UInt64] {
        var units: [UInt64] = []
        for bound in bounds {
            guard let bound = FixedPoint(resolution).units(bound), bound >= 0 else {
                throw .registration(.invalidBuckets(metric: name))
            }
            units.append(UInt64(bound))
        }
        return units
    }
}
