import Foundation
import TestSupport
import Testing

@testable import WeirMetrics

/// Odd label values and odd numbers, read by parsers of other projects (`Tests/ObservabilityTests/foreign_reader.py`).
/// What a running Weir exposes is compared with them in `Tests/ObservabilityTests/test_formats.py`.
@Suite struct ForeignReaderTests {
    private static let values = [
        "", "plain", "back\\slash", "\\n", "\"quoted\"", "two\nlines", "\\\"\n\\", "a=\"b\",c", "{}", " ", "tab\t",
        "Grüße 日本 🦊 e\u{301}", String(repeating: "\\\"\nü", count: 2_048),
    ]

    @Test(
        "They read what was registered",
        arguments: [
            (ExpositionFormat.text004, "text"), (.openMetrics100, "openmetrics"), (.delimitedProtobuf, "protobuf"),
        ])
    func read(format: ExpositionFormat, name: String) throws {
        let registry = MetricsRegistry(shardCount: 1, nativeHistogramSchema: 3)
        var expected: [Samples.Series: Double] = [:]
        for (position, value) in Self.values.enumerated() {
            try registry.counter(.counter("c_total", labels: ["l"]), labels: [value]).add(UInt64(position), shard: 0)
            expected[.init(name: "c_total", labels: ["l": value])] = Double(position)
            try registry.histogram(.seconds("h_seconds", buckets: [1_000_000], labels: ["l"]), labels: [value])
                .observe(raw: 500_000, shard: 0)
            expected[.init(name: "h_seconds_count", labels: ["l": value])] = 1
            expected[.init(name: "h_seconds_sum", labels: ["l": value])] = 0.0005
            for le in ["0.001", "inf"] {
                expected[.init(name: "h_seconds_bucket", labels: ["l": value, "le": le])] = 1
            }
        }
        for (position, raw) in [Int64.min, -1, 0, 1, 1_500_000_001, .max].enumerated() {
            let gauge = MetricDescriptor(
                name: "g_seconds", help: "\\ \"", kind: .gauge, unit: "seconds", scale: .nanosecondsAsSeconds,
                labelNames: ["l"])
            try registry.gauge(gauge, labels: ["\(position)"]).set(raw)
            expected[.init(name: "g_seconds", labels: ["l": "\(position)"])] = Double(raw) / 1e9
        }
        let folder = try TemporaryDirectory("foreign")
        let python = Tool.repository + "/.test-servers/venv/bin/python3"
        let script = Tool.repository + "/Tests/ObservabilityTests/foreign_reader.py"
        let page = try folder.write("page", registry.bytes(format))
        let run = try ChildProcess.run(python, ["-B", script, name], input: page)
        try #require(run.succeeded, "\(run)")
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[Any]])
        var found: [Samples.Series: Double] = [:]
        for row in rows {
            let series = Samples.Series(
                name: try #require(row[0] as? String), labels: try #require(row[1] as? [String: String]))
            found[series] = (row[2] as? String).flatMap { Double($0) }
        }
        #expect(found == expected)
    }
}
