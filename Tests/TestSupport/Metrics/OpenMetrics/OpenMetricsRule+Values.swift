import Foundation

extension OpenMetricsRule {
    static let numbers: [OpenMetricsRule] = [
        OpenMetricsRule("ABNF", "values are numbers", breach: "a 0x1\n# EOF\n") { page in
            page.samples.first { number($0.number) == nil }?.number
        },
        OpenMetricsRule("Numbers", "a value has digits before its point", breach: "a .5\n# EOF\n") { page in
            page.samples.first { $0.number.hasPrefix(".") || $0.number.hasSuffix(".") }?.number
        },
        OpenMetricsRule("NaN", "NaN marks no missing data", breach: "a NaN\n# EOF\n") { page in
            page.samples.first { $0.number.lowercased() == "nan" }?.name
        },
    ]

    static let types: [OpenMetricsRule] = [
        OpenMetricsRule("Counter", "a sample of a counter ends with _total", breach: "# TYPE a counter\na 1\n# EOF\n") {
            page in
            page.families.first { family in
                family.type == "counter" && family.samples.contains { $0.name != family.name + "_total" }
            }?.name
        },
        OpenMetricsRule(
            "Counter", "the family of a counter does not", breach: "# TYPE a_total counter\na_total_total 1\n# EOF\n"
        ) { page in
            page.families.first { $0.type == "counter" && $0.name.hasSuffix("_total") }?.name
        },
        OpenMetricsRule("Counter", "a total is not negative", breach: "# TYPE a counter\na_total -1\n# EOF\n") { page in
            page.families.first {
                $0.type == "counter" && $0.samples.contains { number($0.number).map { $0 < 0 } ?? true }
            }?
            .name
        },
        OpenMetricsRule("Gauge", "a sample of a gauge has no suffix", breach: "# TYPE a gauge\na_value 1\n# EOF\n") {
            page in
            page.families.first { family in
                family.type == "gauge" && family.samples.isEmpty
            }?.name
        },
        OpenMetricsRule("MetricFamily", "what is announced has samples", breach: "# TYPE a gauge\n# EOF\n") { page in
            page.families.first { $0.samples.isEmpty }?.name
        },
        OpenMetricsRule(
            "Counter", "no _created that was not requested", breach: "# TYPE a counter\na_created 1\n# EOF\n"
        ) { page in
            page.samples.first { $0.name.hasSuffix("_created") }?.name
        },
    ]

    static let histograms: [OpenMetricsRule] = [
        histogram("it has a bucket +Inf", breach: "a_bucket{le=\"1.0\"} 1\na_sum 1\na_count 1\n") {
            $0.buckets.last?.le != "+Inf"
        },
        histogram("every bucket has an le", breach: "a_bucket 1\na_sum 1\na_count 1\n") {
            $0.buckets.contains { $0.le == "" }
        },
        histogram("buckets are cumulative", breach: buckets(("1.0", "2"), ("+Inf", "1"))) { histogram in
            zip(histogram.buckets, histogram.buckets.dropFirst()).contains {
                number($0.count) ?? 0 > number($1.count) ?? 0
            }
        },
        histogram("bounds rise, each is there once", breach: buckets(("2.0", "1"), ("1.0", "1"), ("+Inf", "1"))) {
            histogram in
            zip(histogram.buckets, histogram.buckets.dropFirst()).contains {
                number($0.le) ?? .nan >= number($1.le) ?? .nan
            }
        },
        histogram("no bound is NaN", breach: buckets(("NaN", "1"), ("+Inf", "1"))) {
            $0.buckets.contains { $0.le == "NaN" }
        },
        histogram("no bound is negative where there is a sum", breach: buckets(("-1.0", "1"), ("+Inf", "1"))) {
            $0.buckets.contains { number($0.le) ?? 0 < 0 }
        },
        histogram("bounds are written canonically", breach: buckets(("1", "1"), ("+Inf", "1"))) {
            $0.buckets.contains { $0.le != canonical($0.le) }
        },
        histogram("counts of buckets are whole numbers", breach: buckets(("1.0", "1.0"), ("+Inf", "1"))) {
            ($0.buckets.map(\.count) + $0.counts).contains { $0.wholeMatch(of: /[0-9]+/) == nil }
        },
        histogram("_count is the bucket +Inf", breach: "a_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 1\n") {
            $0.counts != [$0.buckets.last?.count]
        },
        histogram("_count and _sum come together", breach: "a_bucket{le=\"+Inf\"} 2\na_count 2\n") {
            $0.sums.count != 1
        },
        histogram("the sum is not negative", breach: "a_bucket{le=\"+Inf\"} 2\na_sum -1\na_count 2\n") {
            $0.sums.contains { number($0) ?? -1 < 0 }
        },
        histogram("it has no other samples", breach: "a_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 2\na_created 2\n") {
            $0.hasOthers
        },
    ]

    /// One metric of a histogram family.
    struct HistogramMetric {
        var buckets: [(le: String, count: String)] = []
        var sums: [String] = []
        var counts: [String] = []
        var hasOthers = false
    }

    private static func histogram(
        _ statement: String, breach: String, _ violates: @escaping @Sendable (HistogramMetric) -> Bool
    ) -> OpenMetricsRule {
        OpenMetricsRule("Histogram", statement, breach: "# TYPE a histogram\n\(breach)# EOF\n") { page in
            for family in page.families where family.type == "histogram" {
                for (labels, samples) in Dictionary(grouping: family.samples, by: \.ownLabels)
                where violates(metric(samples, of: family.name)) {
                    return "\(family.name)\(labels)"
                }
            }
            return nil
        }
    }

    private static func metric(_ samples: [OpenMetricsPage.Sample], of family: String) -> HistogramMetric {
        var metric = HistogramMetric()
        for sample in samples {
            switch sample.name {
            case family + "_bucket": metric.buckets.append((sample.value(of: "le") ?? "", sample.number))
            case family + "_sum": metric.sums.append(sample.number)
            case family + "_count": metric.counts.append(sample.number)
            default: metric.hasOthers = true
            }
        }
        return metric
    }

    private static func buckets(_ buckets: (String, String)...) -> String {
        buckets.map { "a_bucket{le=\"\($0)\"} \($1)\n" }.joined() + "a_sum 1\na_count 1\n"
    }

    /// By the grammar, which is narrower than what Swift reads.
    static func number(_ text: String) -> Double? {
        if text == "+Inf" || text == "-Inf" || text == "NaN" { return Double(text.lowercased()) }
        guard text.wholeMatch(of: /[-+]?(?:[0-9]+(?:\.[0-9]*)?|[0-9]*\.[0-9]+)(?:e[-+]?[0-9]+)?/) != nil else {
            return nil
        }
        return Double(text)
    }

    private static func canonical(_ text: String) -> String {
        guard let value = number(text), value.isFinite else { return text == "+Inf" ? text : "" }
        return canonical(value)
    }

    /// A finite bound as Go's `%g` prints it, with a point where there would be neither point nor exponent: in the
    /// fewest digits that mean the same, which Swift knows, too, but cuts otherwise.
    package static func canonical(_ value: Double) -> String {
        let parts = "\(value.magnitude)".split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        let whole = mantissa[0]
        let fraction = mantissa.count > 1 && mantissa[1] != "0" ? mantissa[1] : ""
        let all = (whole + fraction).drop { $0 == "0" }
        guard !all.isEmpty else { return "0.0" }
        let leading = (whole + fraction).count - all.count
        let exponent = whole.count - 1 - leading + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        let digits = String(all).replacing(/0+$/, with: "")
        let sign = value < 0 ? "-" : ""
        if exponent < -4 || exponent >= 6 {
            let rest = digits.count > 1 ? "." + digits.dropFirst() : ""
            return "\(sign)\(digits.prefix(1))\(rest)e\(exponent < 0 ? "-" : "+")"
                + (abs(exponent) < 10 ? "0" : "") + "\(abs(exponent))"
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        let padded = digits + String(repeating: "0", count: max(0, exponent + 1 - digits.count))
        return sign + padded.prefix(exponent + 1) + "."
            + (digits.count > exponent + 1 ? digits.dropFirst(exponent + 1) : "0")
    }
}
