import Testing

@testable import WeirMetrics

@Suite struct OpenMetricsFormatTests {
    private static func page(_ registry: MetricsRegistry) -> String {
        var buffer = ScrapeBuffer()
        registry.render(into: &buffer, format: .openMetrics100)
        return buffer.text
    }

    @Test func `a page is the golden text`() throws {
        let registry = MetricsRegistry(shardCount: 1)
        let accepted = try registry.counter(.counter("weir_accepted_total", labels: ["route"]), labels: ["ssh"])
        let dials = try registry.histogram(
            .seconds("weir_dial_duration_seconds", buckets: [500_000, 1_000_000_000], labels: ["route"]),
            labels: ["ssh"])
        try registry.gauge(.gauge("weir_limit")).set(-7)
        accepted.add(3, shard: 0)
        dials.observe(raw: 2_000_000_000, shard: 0)
        #expect(
            Self.page(registry) == """
                # TYPE weir_accepted counter
                # HELP weir_accepted Help.
                weir_accepted_total{route="ssh"} 3
                # TYPE weir_dial_duration_seconds histogram
                # UNIT weir_dial_duration_seconds seconds
                # HELP weir_dial_duration_seconds Help.
                weir_dial_duration_seconds_bucket{route="ssh",le="0.0005"} 0
                weir_dial_duration_seconds_bucket{route="ssh",le="1.0"} 0
                weir_dial_duration_seconds_bucket{route="ssh",le="+Inf"} 1
                weir_dial_duration_seconds_sum{route="ssh"} 2
                weir_dial_duration_seconds_count{route="ssh"} 1
                # TYPE weir_limit gauge
                # HELP weir_limit Help.
                weir_limit -7
                # EOF

                """)
    }

    @Test func `an empty page is its end`() {
        #expect(Self.page(MetricsRegistry(shardCount: 0)) == "# EOF\n")
    }

    @Test func `HELP escapes quotation marks, too, and a unit stands only where the name ends with it`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        _ = try registry.gauge(
            MetricDescriptor(name: "x", help: "a \"quote\", a \\ and\na line", kind: .gauge, unit: "seconds"))
        #expect(
            Self.page(registry) == #"""
                # TYPE x gauge
                # HELP x a \"quote\", a \\ and\na line
                x 0
                # EOF

                """#)
    }

    @Test(arguments: [("x", "unknown", "x"), ("_total", "unknown", "_total"), ("a_total", "counter", "a")])
    func `a counter without its suffix is of unknown type`(name: String, type: String, family: String) throws {
        let registry = MetricsRegistry(shardCount: 0)
        _ = try registry.counter(.counter(name))
        #expect(Self.page(registry) == "# TYPE \(family) \(type)\n# HELP \(family) Help.\n\(name) 0\n# EOF\n")
    }

    @Test func `sample lines are the same in both text formats`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        _ = try registry.histogram(
            .seconds("h_seconds", buckets: [1, 50_000, 5_000_000, 1_000_000_000_000_000], labels: ["l"]),
            labels: ["a \\ \"b\"\nc ü"])
        _ = try registry.counter(.counter("c_total", labels: ["l"]), labels: [String(repeating: "x", count: 10_240)])
        func samples(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.hasPrefix("#") } }
        #expect(samples(Self.page(registry)) == samples(registry.page()))
        #expect(samples(registry.page()).count == 8)
    }
}
