import TestSupport
import Testing

@testable import WeirMetrics

extension MetricsRegistry {
    /// A page's bytes in a format.
    func bytes(_ format: ExpositionFormat, filter: PageFilter? = nil) -> [UInt8] {
        var buffer = ScrapeBuffer()
        render(into: &buffer, format: format, filter: filter)
        return buffer.withBytes { bytes in bytes.indices.map { bytes[$0] } }
    }

    func protobufPage() throws -> ProtobufPage { try ProtobufPage(bytes(.delimitedProtobuf)) }
}

@Suite struct ProtobufFormatTests {
    @Test func `a counter and a gauge are the golden bytes`() throws {
        let registry = MetricsRegistry(shardCount: 1)
        try registry.counter(.counter("a_total", labels: ["l"]), labels: ["v"]).add(3, shard: 0)
        let seconds = MetricDescriptor(
            name: "g_seconds", help: "", kind: .gauge, unit: "seconds", scale: .millisecondsAsSeconds)
        try registry.gauge(seconds).set(-500)
        let counter: [UInt8] =
            [0x0a, 7] + Array("a_total".utf8) + [0x12, 5] + Array("Help.".utf8) + [0x18, 0]
            + [0x22, 19, 0x0a, 6, 0x0a, 1, 0x6c, 0x12, 1, 0x76, 0x1a, 9, 0x09, 0, 0, 0, 0, 0, 0, 0x08, 0x40]
        let gauge: [UInt8] =
            [0x0a, 9] + Array("g_seconds".utf8) + [0x12, 0] + [0x18, 1] + [0x2a, 7] + Array("seconds".utf8)
            + [0x22, 11, 0x12, 9, 0x09, 0, 0, 0, 0, 0, 0, 0xe0, 0xbf]
        #expect(
            registry.bytes(.delimitedProtobuf)
                == [UInt8(counter.count)] + counter + [UInt8(gauge.count)] + gauge)
    }

    @Test func `a counter with its start is the golden bytes`() throws {
        let registry = MetricsRegistry(shardCount: 1, wallClock: { 300_000_000_005 })
        try registry.counter(.counter("a_total", labels: ["l"]), labels: ["v"]).add(3, shard: 0)
        let counter: [UInt8] =
            [0x0a, 7] + Array("a_total".utf8) + [0x12, 5] + Array("Help.".utf8) + [0x18, 0]
            + [0x22, 26, 0x0a, 6, 0x0a, 1, 0x6c, 0x12, 1, 0x76, 0x1a, 16]
            + [0x1a, 5, 0x08, 0xac, 0x02, 0x10, 5, 0x09, 0, 0, 0, 0, 0, 0, 0x08, 0x40]
        #expect(registry.bytes(.delimitedProtobuf) == [UInt8(counter.count)] + counter)
    }

    @Test func `counters and histograms tell when they began, and no text page does`() throws {
        let time = Shared<Int64>(1_000_000_000_000_000_001)
        let registry = MetricsRegistry(
            shardCount: 0, nativeHistogramSchema: 3, wallClock: { time.withLock { $0 } })
        let first = try registry.counter(.counter("a_total", labels: ["l"]), labels: ["first"])
        _ = try registry.histogram(.seconds("h_seconds", buckets: [500_000]))
        _ = try registry.gauge(.gauge("g"))
        time.withLock { $0 = 2_000_000_000_000_000_000 }
        _ = try registry.counter(.counter("a_total", labels: ["l"]), labels: ["second"])
        // The same series once more: it goes on, and so began when it did.
        registry.retire(first)
        _ = try registry.counter(.counter("a_total", labels: ["l"]), labels: ["first"])
        let families = try registry.protobufPage().families
        #expect(
            families.map { $0.metrics.map(\.began) } == [
                [1_000_000_000_000_000_001, 2_000_000_000_000_000_000], [1_000_000_000_000_000_001], [nil],
            ])
        for format in [ExpositionFormat.text004, .openMetrics100] {
            #expect(!String(decoding: registry.bytes(format), as: UTF8.self).contains("_created"))
        }
    }

    @Test func `a classic histogram has cumulative buckets and no field of a native one`() throws {
        let registry = MetricsRegistry(shardCount: 1)
        let series = try registry.histogram(
            .seconds("h_seconds", buckets: [500_000, 1_000_000_000], labels: ["route"]), labels: ["ssh"])
        for raw: UInt64 in [500_000, 500_001, 2_000_000_000] { series.observe(raw: raw, shard: 0) }
        let family = try #require(try registry.protobufPage().families.first)
        #expect((family.name, family.help, family.type, family.unit) == ("h_seconds", "Help.", 4, "seconds"))
        let metric = try #require(family.metrics.first)
        #expect(metric.labels.map(\.name) == ["route"] && metric.labels.map(\.value) == ["ssh"])
        let histogram = try #require(metric.histogram)
        #expect(histogram.count == 3 && histogram.sum == 2.001000001)
        #expect(histogram.buckets.map(\.upperBound) == [0.0005, 1])
        #expect(histogram.buckets.map(\.cumulative) == [1, 2])
        #expect(histogram.schema == nil && histogram.zeroThreshold == nil && histogram.zeroCount == nil)
        #expect(histogram.spans.isEmpty && histogram.deltas.isEmpty)
    }

    @Test(arguments: [
        ("a_seconds", ""), ("a_seconds_total", "seconds"), ("a_total", ""), ("a", ""), ("seconds_total", ""),
    ])
    func `a unit is told only where the name carries it`(name: String, told: String) throws {
        let registry = MetricsRegistry(shardCount: 0)
        let unit = name == "a_seconds" ? "bytes" : "seconds"
        _ = try registry.counter(MetricDescriptor(name: name, help: "Help.", kind: .counter, unit: unit))
        #expect(try registry.protobufPage().families.map(\.unit) == [told])
    }

    @Test func `an empty page has no byte, and an empty family is not on it`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        #expect(registry.bytes(.delimitedProtobuf) == [])
        try registry.declare(.counter("a_total"))
        #expect(registry.bytes(.delimitedProtobuf) == [])
    }

    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, 1 << 32, UInt64.max])
    func `a varint takes the bytes that it says`(value: UInt64) {
        var output = ByteOutput(capacity: 64)
        output.write(varint: value)
        #expect(output.count == value.varintLength)
    }

    @Test(arguments: [(0, 0), (-1, 1), (1, 2), (.max, UInt64.max - 1), (.min, .max)] as [(Int64, UInt64)])
    func `signed numbers alternate`(value: Int64, expected: UInt64) {
        #expect(UInt64(zigzag: value) == expected)
    }

    @Test func `values, filters and the number of lines are those of the text format`() throws {
        for schema in [nil, -2, 3] as [Int?] {
            let registry = MetricsRegistry(shardCount: 2, nativeHistogramSchema: schema)
            var generator = SeededGenerator(seed: 5)
            for route in ["a", "b \\ \"c\"\nü"] {
                try registry.counter(.counter("c_total", labels: ["route"]), labels: [route]).add(.max / 3)
                let begun = try registry.counter(.counter("d_total", labels: ["route"]), labels: [route])
                let ended = try registry.counter(
                    .counter("e_total", labels: ["route"], isExposed: false), labels: [route])
                _ = try registry.derivedGauge(
                    .gauge("f", labels: ["route"]), labels: [route], beginnings: [begun], endings: [ended])
                begun.add(5, shard: 1)
                ended.add(7, shard: 0)
                let histogram = try registry.histogram(
                    .seconds("h", buckets: [1, 1000, 50_000_000], labels: ["route"]), labels: [route])
                for _ in 0..<500 {
                    histogram.observe(raw: generator.next() >> (generator.next() % 64), shard: 0)
                }
            }
            for filter in [nil, PageFilter(names: ["h*"]), PageFilter(labels: ["route": ["b \\ \"c\"\nü"]])] {
                let text = try Samples(String(decoding: registry.bytes(.text004, filter: filter), as: UTF8.self))
                let page = try ProtobufPage(registry.bytes(.delimitedProtobuf, filter: filter))
                #expect(Self.samples(page) == text.values)
                var buffer = ScrapeBuffer()
                #expect(
                    registry.render(into: &buffer, format: .delimitedProtobuf, filter: filter) == text.values.count)
            }
        }
    }

    /// The page as samples of the text format.
    private static func samples(_ page: ProtobufPage) -> [Samples.Series: Double] {
        var samples: [Samples.Series: Double] = [:]
        for family in page.families {
            for metric in family.metrics {
                let labels = Dictionary(uniqueKeysWithValues: metric.labels.map { ($0.name, $0.value) })
                if let value = metric.counter ?? metric.gauge {
                    samples[.init(name: family.name, labels: labels)] = value
                }
                guard let histogram = metric.histogram, let count = histogram.count else { continue }
                samples[.init(name: family.name + "_sum", labels: labels)] = histogram.sum
                samples[.init(name: family.name + "_count", labels: labels)] = Double(count)
                for bucket in histogram.buckets + [(.infinity, count)] {
                    let le = bucket.upperBound == .infinity ? "+Inf" : OpenMetricsRule.canonical(bucket.upperBound)
                    let all = labels.merging(["le": le]) { $1 }
                    samples[.init(name: family.name + "_bucket", labels: all)] = Double(bucket.cumulative)
                }
            }
        }
        return samples
    }
}

@Suite struct LabelValueTests {
    private static let values = [
        "", "plain", "back\\slash", "\\n", "\"quoted\"", "two\nlines", "\n", "\\\"\n\\", "a=\"b\",c", "{}", "  ",
        "\u{0}\t\r",
        "Grüße 日本 🦊 e\u{301}", String(repeating: "\\", count: 10_240), String(repeating: "ü\n", count: 5_000),
    ]

    @Test("A label value comes through every format as it is", arguments: values)
    func value(_ value: String) throws {
        let registry = MetricsRegistry(shardCount: 0, nativeHistogramSchema: 3)
        try registry.counter(.counter("c_total", labels: ["first", "l"]), labels: ["f", value]).add(7)
        try registry.histogram(.seconds("h", buckets: [1], labels: ["l"]), labels: [value]).observe(raw: 1)

        let text = try Samples(registry.page())
        #expect(text["c_total", ["first": "f", "l": value]] == 7)
        #expect(text["h_bucket", ["l": value, "le": "1e-09"]] == 1)
        let page = OpenMetricsPage(registry.bytes(.openMetrics100))
        #expect(
            page.samples.count == 5 && page.samples.allSatisfy { $0.value(of: "l").map(Array.init) == Array(value) })
        let families = try registry.protobufPage().families
        #expect(families.map(\.name) == ["c_total", "h"])
        for family in families {
            #expect(family.metrics.map { $0.labels.last?.value.utf8.map { $0 } } == [Array(value.utf8)])
        }
    }

    @Test("It is found by a filter, whatever is in it", arguments: values)
    func filter(_ value: String) throws {
        let registry = MetricsRegistry(shardCount: 0)
        for label in [value, value + "x", "x" + value] where !label.isEmpty || value.isEmpty {
            _ = try registry.counter(.counter("c_total", labels: ["l"]), labels: [label])
        }
        let filter = PageFilter(labels: ["l": [value]])
        let text = try Samples(String(decoding: registry.bytes(.text004, filter: filter), as: UTF8.self))
        #expect(text.values.keys.map { $0.labels["l"]?.utf8.map { $0 } } == [Array(value.utf8)])
        #expect(try ProtobufPage(registry.bytes(.delimitedProtobuf, filter: filter)).families.first?.metrics.count == 1)
    }
}
