import Foundation

/// One rule of the OpenMetrics specification 1.0.0 for exposers, in our words, with a page that breaks it: a check that
/// accepts that page would accept any.
///
/// What is not here cannot be broken by Weir, because it never exposes it: summaries, state sets, info and gauge
/// histograms, exemplars, timestamps, `_created`; the rules about types and samples see to that.
package struct OpenMetricsRule: Sendable {
    /// The section of the specification.
    package let section: String
    package let statement: String
    /// A page that breaks the rule.
    package let breach: [UInt8]
    /// The first offence of a page, or nil.
    package let violation: @Sendable (OpenMetricsPage) -> String?

    package var name: String { "\(section): \(statement)" }

    init(
        _ section: String, _ statement: String, breach: String,
        _ violation: @escaping @Sendable (OpenMetricsPage) -> String?
    ) {
        self.init(section, statement, bytes: Array(breach.utf8), violation)
    }

    init(
        _ section: String, _ statement: String, bytes: [UInt8],
        _ violation: @escaping @Sendable (OpenMetricsPage) -> String?
    ) {
        self.section = section
        self.statement = statement
        breach = bytes
        self.violation = violation
    }

    package static let all = wholePage + names + metadata + numbers + types + histograms
}

// MARK: The page

extension OpenMetricsRule {
    static let wholePage: [OpenMetricsRule] = [
        OpenMetricsRule("Overall structure", "the page is UTF-8", bytes: Array("# HELP a ".utf8) + [0xff, 10] + end) {
            String(validating: $0.bytes, as: UTF8.self) == nil ? "bytes that are no UTF-8" : nil
        },
        OpenMetricsRule("Overall structure", "no byte order mark begins it", bytes: [0xef, 0xbb, 0xbf] + end) {
            $0.bytes.starts(with: [0xef, 0xbb, 0xbf]) ? "a byte order mark" : nil
        },
        OpenMetricsRule(
            "Overall structure", "lines end with a line feed, without a carriage return", breach: "a 1\r\n# EOF\n"
        ) {
            zip($0.bytes, $0.bytes.dropFirst()).contains { $0 == (13, 10) } ? "a carriage return" : nil
        },
        OpenMetricsRule("Overall structure", "it ends with EOF and a line feed", breach: "a 1\n") {
            $0.bytes.suffix(end.count) == end[...] ? nil : "no end"
        },
        OpenMetricsRule("Overall structure", "EOF stands once, and nothing behind it", breach: "# EOF\na 1\n# EOF\n") {
            page in
            let ends = page.lines.indices.filter { if case .end = page.lines[$0] { true } else { false } }
            return ends == [page.lines.count - 1] ? nil : "EOF in lines \(ends)"
        },
        OpenMetricsRule(
            "MetricFamily metadata", "besides metadata and EOF no line begins with #", breach: "# A remark\n# EOF\n"
        ) { other($0) { $0.hasPrefix("#") } },
        OpenMetricsRule("ABNF", "no line is empty", breach: "a 1\n\n# EOF\n") { other($0, where: \.isEmpty) },
        OpenMetricsRule("ABNF", "one space, and no other, parts the fields of a sample", breach: "a  1\n# EOF\n") {
            page in
            other(page) { !$0.hasPrefix("#") && !$0.isEmpty } ?? page.samples.first { $0.number.isEmpty }?.name
        },
        OpenMetricsRule("Metric", "no sample has a timestamp or an exemplar", breach: "a 1 123\n# EOF\n") {
            other($0) { !$0.hasPrefix("#") && !$0.isEmpty }
        },
        OpenMetricsRule("ABNF", "no comma stands behind the last label", breach: "a{b=\"c\",} 1\n# EOF\n") {
            other($0) { $0.contains(",}") } ?? $0.samples.first { $0.labels.contains { $0.name == "" } }?.name
        },
        OpenMetricsRule(
            "Escaping", "quotation marks, backslashes and line feeds of label values are escaped, with no other escape",
            breach: "a{b=\"c\\d\"} 1\n# EOF\n"
        ) { other($0) { $0.contains("{") } },
        OpenMetricsRule("Escaping", "in HELP, too", breach: "# HELP a say \"a\"\n# EOF\n") { page in
            page.families.flatMap(\.helps).first { !isEscaped($0) }
        },
        OpenMetricsRule("MetricFamily", "families are not interleaved", breach: "a 1\nb 1\na{c=\"d\"} 1\n# EOF\n") {
            duplicate($0.families.map(\.name))
        },
        OpenMetricsRule(
            "Metric", "no sample stands twice", breach: "a{b=\"c\",d=\"e\"} 1\na{d=\"e\",b=\"c\"} 1\n# EOF\n"
        ) {
            duplicate($0.samples.map { "\($0.name) \($0.labels.map { "\($0.name)=\($0.value)" }.sorted())" })
        },
        OpenMetricsRule(
            "Metric", "metrics of a family are not interleaved",
            breach: """
                # TYPE a histogram
                a_bucket{l="1",le="+Inf"} 0
                a_bucket{l="2",le="+Inf"} 0
                a_sum{l="1"} 0
                a_count{l="1"} 0
                a_sum{l="2"} 0
                a_count{l="2"} 0
                # EOF

                """
        ) { page in
            page.families.lazy.compactMap { family in
                var runs: [Set<OpenMetricsPage.Label>] = []
                for sample in family.samples where runs.last != sample.ownLabels { runs.append(sample.ownLabels) }
                return Set(runs).count == runs.count ? nil : family.name
            }.first
        },
    ]

    static let end = Array("# EOF\n".utf8)

    /// The first line that is nothing known and fits.
    static func other(_ page: OpenMetricsPage, where condition: (String) -> Bool) -> String? {
        for case .other(let text) in page.lines where condition(text) { return text }
        return nil
    }

    static func duplicate(_ names: [String]) -> String? {
        Dictionary(grouping: names) { $0 }.first { $0.value.count > 1 }?.key
    }

    static func isEscaped(_ text: String) -> Bool {
        text.wholeMatch(of: /(?:[^\\"\n]|\\[\\"n])*/) != nil
    }
}

// MARK: Names and metadata

extension OpenMetricsRule {
    static let names: [OpenMetricsRule] = [
        OpenMetricsRule("ABNF", "metric names are letters, digits, underscores, colons", breach: "a.b 1\n# EOF\n") {
            ($0.families.map(\.name) + $0.samples.map(\.name)).first {
                $0.wholeMatch(of: /[a-zA-Z_:][a-zA-Z0-9_:]*/) == nil
            }
        },
        OpenMetricsRule("ABNF", "label names are letters, digits, underscores", breach: "a{b:c=\"d\"} 1\n# EOF\n") {
            $0.samples.flatMap(\.labels).map(\.name).first { $0.wholeMatch(of: /[a-zA-Z_][a-zA-Z0-9_]*/) == nil }
        },
        OpenMetricsRule(
            "Label", "label names that begin with an underscore are reserved", breach: "a{_b=\"c\"} 1\n# EOF\n"
        ) {
            $0.samples.flatMap(\.labels).map(\.name).first { $0.hasPrefix("_") }
        },
        OpenMetricsRule("Name", "so are metric names that do", breach: "_a 1\n# EOF\n") {
            $0.families.map(\.name).first { $0.hasPrefix("_") }
        },
        OpenMetricsRule("Name", "a colon marks the result of a calculation elsewhere", breach: "a:b 1\n# EOF\n") {
            $0.families.map(\.name).first { $0.contains(":") }
        },
        OpenMetricsRule("Naming and namespaces", "scrape_ is reserved for scrapers", breach: "scrape_a 1\n# EOF\n") {
            $0.families.map(\.name).first { $0.hasPrefix("scrape_") }
        },
        OpenMetricsRule("LabelSet", "a sample has a label once", breach: "a{b=\"c\",b=\"d\"} 1\n# EOF\n") { page in
            page.samples.first { duplicate($0.labels.map(\.name)) != nil }?.name
        },
        OpenMetricsRule("Metric", "all metrics of a family have the same labels", breach: "a{b=\"c\"} 1\na 1\n# EOF\n")
        { page in
            page.families.first { family in
                Set(family.samples.map { Set($0.ownLabels.map(\.name)) }).count > 1
            }?.name
        },
        OpenMetricsRule(
            "Suffixes", "no family has a name that a sample of another could have",
            breach: "# TYPE a counter\na_total 1\n# TYPE a_created gauge\na_created 1\n# EOF\n"
        ) { page in
            duplicate(
                page.families.flatMap { family in
                    Set([family.name] + OpenMetricsPage.sampleNames(of: family.name, type: family.type))
                })
        },
    ]

    static let metadata: [OpenMetricsRule] = [
        OpenMetricsRule(
            "MetricFamily metadata", "at most one line of each kind", breach: "# TYPE a gauge\n# TYPE a gauge\n# EOF\n"
        ) {
            $0.families.first { $0.types.count > 1 || $0.units.count > 1 || $0.helps.count > 1 }?.name
        },
        OpenMetricsRule(
            "MetricFamily metadata", "in the order TYPE, UNIT, HELP", breach: "# HELP a b\n# TYPE a gauge\n# EOF\n"
        ) {
            $0.families.first { $0.order.wholeMatch(of: /T?U?H?s*/) == nil }?.name
        },
        OpenMetricsRule(
            "MetricFamily metadata", "metadata stands before the samples",
            breach: "# TYPE a gauge\na 1\n# HELP a b\n# EOF\n"
        ) { $0.families.first { $0.order.contains(/s[TUH]/) }?.name },
        OpenMetricsRule("Type", "a type is one of the eight words", breach: "# TYPE a untyped\n# EOF\n") { page in
            let words = ["unknown", "gauge", "counter", "stateset", "info", "histogram", "gaugehistogram", "summary"]
            return page.families.flatMap(\.types).first { !words.contains($0) }
        },
        OpenMetricsRule("Type", "Weir has only types whose rules stand here", breach: "# TYPE a summary\n# EOF\n") {
            page in
            page.families.flatMap(\.types).first { !["unknown", "gauge", "counter", "histogram"].contains($0) }
        },
        OpenMetricsRule(
            "Unit", "a unit is the end of the name behind an underscore",
            breach: "# TYPE a gauge\n# UNIT a seconds\n# EOF\n"
        ) {
            page in
            page.families.first { family in family.units.contains { !$0.isEmpty && !family.name.hasSuffix("_" + $0) } }?
                .name
        },
        OpenMetricsRule("Help", "no HELP is empty", breach: "# HELP a \n# EOF\n") { page in
            page.families.first { $0.helps.contains("") }?.name
        },
        OpenMetricsRule("MetricFamily", "every family has a TYPE", breach: "a_total 1\n# EOF\n") { page in
            page.families.first { $0.types.isEmpty }?.name
        },
    ]
}
