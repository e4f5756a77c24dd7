/// The instruments of swift-metrics. Meters and recorders without aggregation are one kind.
enum Instrument: Hashable, Sendable {
    case counter, floatingPointCounter, meter, recorder, timer

    /// The suffix of the name on the page.
    var suffix: String {
        switch self {
        case .counter, .floatingPointCounter: "_total"
        case .timer: "_seconds"
        case .meter, .recorder: ""
        }
    }
}

/// Converts labels and dimensions, which may be any text, to names that are valid in Prometheus. Pure functions.
///
/// Source of what is valid: the Prometheus data model, "Metric names and labels".
enum MetricNaming {
    /// Prefix, label and suffix, each character that is no ASCII letter, digit or underscore replaced by an underscore.
    static func name(_ label: String, of instrument: Instrument, prefix: String) -> String {
        var name = word(prefix + label)
        if !name.hasSuffix(instrument.suffix) { name += instrument.suffix }
        return name
    }

    /// Label names and values in the order of the names, so that the order of the dimensions makes no difference. Of
    /// two dimensions with the same name the later one counts.
    static func labels(_ dimensions: [(String, String)]) -> [(name: String, value: String)] {
        var values: [String: String] = [:]
        for (name, value) in dimensions { values[label(name)] = value }
        return values.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    }

    /// A label's name: as ``word(_:)``, with at most one underscore in front (two are Prometheus' own), and not `le`,
    /// which is the bound of a bucket.
    static func label(_ dimension: String) -> String {
        var name = word(dimension)
        while name.hasPrefix("__") { name.removeFirst() }
        return name == "le" ? "le_" : name
    }

    /// Letters, digits and underscores, beginning with no digit, and never empty.
    private static func word(_ text: String) -> String {
        var word = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": word.unicodeScalars.append(scalar)
            case "0"..."9": word += word.isEmpty ? "_\(scalar)" : "\(scalar)"
            default: word += "_"
            }
        }
        return word.isEmpty ? "_" : word
    }
}
