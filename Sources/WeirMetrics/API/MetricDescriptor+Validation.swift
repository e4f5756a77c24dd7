extension MetricDescriptor {
    /// The maximum number of buckets of a histogram: one series must fit into one chunk of cells.
    static let maxBucketCount = 1000

    /// Checks names and buckets by the rules of the Prometheus data model.
    func validate() throws(RegistrationError) {
        guard Self.isMetricName(name) else { throw .invalidMetricName(name) }
        for (position, label) in labelNames.enumerated() {
            guard Self.isLabelName(label), !labelNames[..<position].contains(label) else {
                throw .invalidLabelName(metric: name, label: label)
            }
        }
        guard case .histogram(let buckets) = kind else { return }
        guard !labelNames.contains("le") else { throw .invalidLabelName(metric: name, label: "le") }
        let rises = zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 }
        guard rises, buckets.count <= Self.maxBucketCount else { throw .invalidBuckets(metric: name) }
    }

    /// The first point in which this descriptor differs from the one that is registered under the same name.
    func difference(from registered: MetricDescriptor) -> RegistrationError.Difference? {
        switch (kind, registered.kind) {
        case (.counter, .counter), (.gauge, .gauge): break
        case (.histogram(let ours), .histogram(let theirs)): if ours != theirs { return .buckets }
        default: return .kind
        }
        if labelNames != registered.labelNames { return .labelNames }
        if help != registered.help { return .help }
        if scale != registered.scale || unit != registered.unit { return .unit }
        if isExposed != registered.isExposed { return .exposure }
        return nil
    }

    /// Every name that the family occupies on a page in any format, or could by the rules of OpenMetrics: a histogram's
    /// suffixes, the name without `_total` under which a counter is announced, and `_created`, which Weir never prints
    /// but parsers count to the family. Two families may not share one.
    var occupiedNames: [String] {
        switch kind {
        case .gauge: return [name]
        case .counter:
            guard name.hasSuffix("_total") else { return [name] }
            let base = name.dropLast(6)
            return [name, String(base), base + "_created"]
        case .histogram: return [name, name + "_bucket", name + "_sum", name + "_count", name + "_created"]
        }
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    static func isMetricName(_ text: String) -> Bool {
        isName(text) { $0 == UInt8(ascii: ":") }
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, and not beginning with the two underscores that Prometheus keeps for itself.
    static func isLabelName(_ text: String) -> Bool {
        !text.hasPrefix("__") && isName(text) { _ in false }
    }

    private static func isName(_ text: String, orAlso isAlsoAllowed: (UInt8) -> Bool) -> Bool {
        var isFirst = true
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): break
            case UInt8(ascii: "0")...UInt8(ascii: "9"): if isFirst { return false }
            default: if !isAlsoAllowed(byte) { return false }
            }
            isFirst = false
        }
        return !isFirst
    }
}
