/// The reason why a series could not be registered. Every case names the metric, so that the message can be shown as it
/// is.
public enum RegistrationError: Error, Hashable, Sendable {
    /// The point in which two descriptors of the same name differ.
    public enum Difference: String, Sendable {
        /// Counter, gauge or histogram.
        case kind
        /// Names or order of the labels.
        case labelNames = "label names"
        /// Bounds of the histogram.
        case buckets
        /// The HELP text.
        case help
        /// Unit or scale.
        case unit
        /// Whether it appears on the page.
        case exposure
    }

    /// The name does not match `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    case invalidMetricName(String)
    /// A label name is malformed, reserved or given twice.
    case invalidLabelName(metric: String, label: String)
    /// Bounds do not rise strictly, or are too many.
    case invalidBuckets(metric: String)
    /// The descriptor is of another kind than the instrument asked for.
    case wrongKind(metric: String, expected: String)
    /// As many values are needed as the descriptor has label names.
    case labelCountMismatch(metric: String, expected: Int, found: Int)
    /// The name is registered already with another descriptor.
    case descriptorMismatch(metric: String, Difference)
    /// A name that this family would print belongs to another family.
    case nameTaken(metric: String, name: String)
    /// The page would have more lines than allowed. Also counted in ``MetricsRegistry/droppedSeries``.
    case seriesLimitReached(metric: String, limit: Int)
    /// The series exists already, derived from other counters, or as a plain gauge where a derived one is asked for.
    case derivationMismatch(metric: String)
    /// A counter given to a derived gauge is not (or no longer) registered here.
    case unknownCounter(metric: String)
    /// No order of reading would keep every derived gauge from going negative.
    case cyclicDerivation(metric: String)
}

extension RegistrationError: CustomStringConvertible {
    /// A sentence for logs.
    public var description: String {
        switch self {
        case .invalidMetricName(let name): "metric name '\(name)' is not valid"
        case .invalidLabelName(let metric, let label): "\(metric): label name '\(label)' is not valid here"
        case .invalidBuckets(let metric): "\(metric): bucket bounds must rise strictly and be at most 1000"
        case .wrongKind(let metric, let expected): "\(metric): the descriptor does not describe a \(expected)"
        case .labelCountMismatch(let metric, let expected, let found):
            "\(metric): \(expected) label values expected, \(found) given"
        case .descriptorMismatch(let metric, let difference):
            "\(metric): registered already with another \(difference.rawValue)"
        case .nameTaken(let metric, let name): "\(metric): the name '\(name)' belongs to another metric"
        case .seriesLimitReached(let metric, let limit): "\(metric): the limit of \(limit) series is reached"
        case .derivationMismatch(let metric): "\(metric): the series exists with another derivation"
        case .unknownCounter(let metric): "\(metric): derived from a counter that is not registered here"
        case .cyclicDerivation(let metric): "\(metric): the derived gauges form a cycle"
        }
    }
}
