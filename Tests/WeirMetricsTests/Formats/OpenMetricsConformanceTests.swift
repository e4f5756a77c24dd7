import TestSupport
import Testing

@testable import WeirMetrics

/// Every rule of the OpenMetrics specification that we could break, against pages of every shape that a registry makes.
/// The corpus of the OpenMetrics project tests readers; this tests a writer.
@Suite struct OpenMetricsConformanceTests {
    @Test("A page that breaks a rule is found", arguments: OpenMetricsRule.all.indices)
    func breach(index: Int) {
        let rule = OpenMetricsRule.all[index]
        #expect(rule.violation(OpenMetricsPage(rule.breach)) != nil, "\(rule.name)")
    }

    @Test("No page of ours breaks one", arguments: OpenMetricsRule.all.indices)
    func conformance(index: Int) throws {
        let rule = OpenMetricsRule.all[index]
        for (name, page) in try Self.corpus.get() {
            #expect(rule.violation(page) == nil, "\(rule.name), in \(name)")
        }
    }

    @Test func `a page by the specification breaks no rule`() {
        // Of the shapes in its examples, with numbers and escapes as they may be.
        let page = OpenMetricsPage(
            #"""
            # TYPE foo_seconds counter
            # UNIT foo_seconds seconds
            # HELP foo_seconds Some text and \n some \" escaping
            foo_seconds_total{a="x",b="escaping\" example \n "} 17.5
            foo_seconds_total{a="",b=""} 4.20072246e+06
            # TYPE bar histogram
            # HELP bar b
            bar_bucket{le="0.0"} 0
            bar_bucket{le="1e-05"} 0
            bar_bucket{le="0.0001"} 5
            bar_bucket{le="0.1"} 8
            bar_bucket{le="1.0"} 10
            bar_bucket{le="100000.0"} 11
            bar_bucket{le="1e+06"} 15
            bar_bucket{le="1.1e+23"} 17
            bar_bucket{le="+Inf"} 17
            bar_count 17
            bar_sum 324789.3
            # TYPE baz gauge
            # HELP baz c
            baz -Inf
            # EOF

            """#)
        for rule in OpenMetricsRule.all {
            #expect(rule.violation(page) == nil, "\(rule.name): \(rule.violation(page) ?? "")")
        }
    }

    @Test(
        arguments: [
            (0, "0.0"), (1, "1.0"), (10, "10.0"), (0.001, "0.001"), (0.0001, "0.0001"), (1e-5, "1e-05"),
            (1e-10, "1e-10"),
            (100_000, "100000.0"), (1e6, "1e+06"), (1e10, "1e+10"), (1.1e23, "1.1e+23"), (86_400, "86400.0"),
            (0.999, "0.999"), (1.7, "1.7"), (123_456.789, "123456.789"), (-2.5, "-2.5"), (1_234_567, "1.234567e+06"),
        ] as [(Double, String)])
    func `canonical numbers are those of the specification`(value: Double, text: String) {
        #expect(OpenMetricsRule.canonical(value) == text)
    }

    @Test func `counters never fall from page to page, and each page is whole by itself`() throws {
        let registry = MetricsRegistry(shardCount: 1)
        let counter = try registry.counter(.counter("a_total"))
        let histogram = try registry.histogram(.seconds("b_seconds", buckets: [1_000_000]))
        func values() -> [OpenMetricsPage.Sample: Double] {
            Dictionary(
                uniqueKeysWithValues: Self.page(registry).samples.map { sample in
                    var key = sample
                    key.number = ""
                    return (key, Double(sample.number) ?? .nan)
                })
        }
        var last = values()
        for step in 1...50 {
            counter.add(UInt64(step), shard: 0)
            histogram.observe(raw: UInt64(step) * 50_000, shard: 0)
            let next = values()
            #expect(next.keys == last.keys)
            #expect(last.allSatisfy { $0.value <= next[$0.key] ?? -1 })
            last = next
        }
        // A reader that comes now sees what one sees that was there from the start.
        #expect(values() == last)
    }

    @Test func `names that a reader could take for a part of another family are refused`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        _ = try registry.counter(.counter("a_total"))
        _ = try registry.histogram(.seconds("b", buckets: []))
        for name in ["a", "a_created", "b_bucket", "b_count", "b_sum", "b_created"] {
            #expect(throws: RegistrationError.self, "\(name)") { try registry.gauge(.gauge(name)) }
        }
        #expect(throws: RegistrationError.self) { try registry.histogram(.seconds("c", buckets: [], labels: ["le"])) }
    }

    private static func page(_ registry: MetricsRegistry) -> OpenMetricsPage {
        var buffer = ScrapeBuffer()
        registry.render(into: &buffer, format: .openMetrics100)
        return OpenMetricsPage(buffer.withBytes { bytes in bytes.indices.map { bytes[$0] } })
    }

    private static let corpus = Result { try pages() }

    /// Nothing at all, and all kinds with odd labels, bounds and values, both with native histograms and without.
    private static func pages() throws -> [(String, OpenMetricsPage)] {
        var pages = [("an empty page", page(MetricsRegistry(shardCount: 0)))]
        for schema in [nil, 3] {
            let registry = MetricsRegistry(shardCount: 2, nativeHistogramSchema: schema)
            try fill(registry)
            pages.append(("schema \(schema.map(String.init) ?? "none")", page(registry)))
        }
        return pages
    }

    private static func fill(_ registry: MetricsRegistry) throws {
        let values = [
            "plain", "", "\\", "\"", "\n", "a,b}c{d= ", "ü日本\u{1f98a}", "\u{0}\r\t",
            String(repeating: "x", count: 10_240),
        ]
        for value in values {
            let odd = MetricDescriptor(
                name: "odd_total", help: "Has \\, \" and\na second line.", kind: .counter, labelNames: ["l", "other"])
            try registry.counter(odd, labels: [value, "same"]).add(.max, shard: 0)
            let series = try registry.histogram(
                .seconds(
                    "h_seconds", buckets: [0, 1, 1000, 50_000, 999_999_999, 1_000_000_000, 86_400_000_000_000],
                    labels: ["l"]),
                labels: [value])
            for raw in [0, 1, 999, 50_000, 1_000_000_000, 3_000_000_000, 100_000_000_000_000, UInt64.max / 32] {
                series.observe(raw: raw, shard: 1)
            }
        }
        _ = try registry.histogram(.seconds("no_bounds_seconds", buckets: []))
        _ = try registry.counter(.counter("without_suffix"))
        let begun = try registry.counter(.counter("begun_total"))
        let ended = try registry.counter(.counter("ended_total", isExposed: false))
        _ = try registry.derivedGauge(.gauge("active"), beginnings: [begun], endings: [ended])
        begun.add(7)
        for (scale, name) in [
            (MetricDescriptor.Scale.nanosecondsAsSeconds, "ns"), (.microsecondsAsSeconds, "us"),
            (.millisecondsAsSeconds, "ms"),
        ] {
            let seconds = MetricDescriptor(
                name: "spent_\(name)_seconds_total", help: "Help.", kind: .counter, unit: "seconds", scale: scale,
                labelNames: ["n"])
            for raw in [0, 1, 500, 999, 1_000_000_000, 1_500_000_001, UInt64.max] {
                try registry.counter(seconds, labels: ["\(raw)"]).add(raw)
            }
        }
        try registry.gauge(.gauge("lowest")).set(.min)
    }
}
