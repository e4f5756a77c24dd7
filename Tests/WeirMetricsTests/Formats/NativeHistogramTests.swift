import Foundation
import TestSupport
import Testing

@testable import WeirMetrics

@Suite struct NativeHistogramTests {
    private static func layout(
        _ schema: Int, _ scale: MetricDescriptor.Scale = .nanosecondsAsSeconds, classic: [UInt64] = []
    ) -> NativeLayout {
        NativeLayout.make(schema: schema, scale: scale, classic: classic, shardCount: 1).pointee
    }

    /// The bounds of a bucket by their definition, as logarithms.
    private static func logarithms(_ layout: NativeLayout, _ bucket: Int) -> (lower: Double, upper: Double) {
        let width = pow(2, -Double(layout.schema))
        let index = Double(layout.lowestIndex + bucket - 1)
        return ((index - 1) * width, index * width)
    }

    @Test("Every value is in the bucket that the schema says", arguments: -2...8)
    func buckets(schema: Int) {
        let layout = Self.layout(schema)
        #expect(log2(layout.zeroThreshold) <= -20)
        #expect(abs(Self.logarithms(layout, 1).lower - log2(layout.zeroThreshold)) < 1e-12)
        var generator = SeededGenerator(seed: 3)
        var used: Set<Int> = []
        for _ in 0..<20_000 {
            let raw = generator.next() >> (generator.next() % 64)
            let bucket = layout.bucket(of: raw)
            let value = Double(raw) / 1e9
            used.insert(bucket)
            if value <= layout.zeroThreshold {
                #expect(bucket == 0)
            } else if log2(value) > Self.logarithms(layout, layout.bucketCount).upper {
                #expect(bucket == layout.bucketCount)
            } else {
                let (lower, upper) = Self.logarithms(layout, bucket)
                #expect(lower - 1e-12 < log2(value) && log2(value) <= upper + 1e-12, "\(raw) in \(bucket)")
            }
        }
        #expect(used.count > min(layout.bucketCount, 1000) / 2)
    }

    @Test("A power of two is in the bucket that it ends", arguments: -2...8)
    func powersOfTwo(schema: Int) {
        let layout = Self.layout(schema)
        for (raw, exponent) in [(250_000_000, -2), (500_000_000, -1), (1_000_000_000, 0), (4_000_000_000, 2)]
            as [(UInt64, Int)]
        {
            let index = layout.bucket(of: raw) + layout.lowestIndex - 1
            #expect(Double(index) == (Double(exponent) * pow(2, Double(schema))).rounded(.up))
            if schema >= 0 { #expect(layout.bucket(of: raw + 1) == layout.bucket(of: raw) + 1) }
        }
        #expect(layout.bucket(of: 0) == 0)
        #expect(layout.bucket(of: .max) == layout.bucketCount)
    }

    @Test("Only zero is in the zero bucket where the raw unit is the printed one, or thousandths or millionths of it")
    func zeroBucket() {
        for scale in [MetricDescriptor.Scale.one, .millisecondsAsSeconds, .microsecondsAsSeconds] {
            for schema in NativeLayout.schemas {
                let layout = Self.layout(schema, scale)
                #expect(layout.bucket(of: 0) == 0 && layout.bucket(of: 1) > 0)
                #expect(layout.zeroThreshold < 1 / scale.divisor)
            }
        }
        #expect(Self.layout(3).bucket(of: 953) == 0 && Self.layout(3).bucket(of: 954) == 1)
    }

    @Test("Cells are the common refinement of both sorts of buckets", arguments: [-2, 0, 3, 8])
    func cells(schema: Int) {
        let classic: [UInt64] = [
            0, 1, 900, 1000, 1_000_000, 1_000_001, 1_000_002, 999_999_999, 1_000_000_000, 1 << 62, .max,
        ]
        let layout = Self.layout(schema, classic: classic)
        #expect(layout.cellCount == layout.bucketCount + 1 + classic.count)
        #expect((0...layout.bucketCount).flatMap(layout.cells(ofBucket:)) == Array(0..<layout.cellCount))
        #expect((0...classic.count).flatMap(layout.cells(ofClassic:)) == Array(0..<layout.cellCount))
        var generator = SeededGenerator(seed: 4)
        let random = (0..<5000).map { _ in generator.next() >> (generator.next() % 64) }
        for raw in random + classic + classic.map({ $0 &+ 1 }) {
            let cell = layout.cell(of: raw)
            #expect(layout.cells(ofBucket: layout.bucket(of: raw)).contains(cell))
            #expect(layout.cells(ofClassic: classic.firstIndex { raw <= $0 } ?? classic.count).contains(cell))
        }
    }

    @Test("Classic buckets, count and sum are the same with native ones and without")
    func classicBuckets() throws {
        let descriptor = MetricDescriptor.seconds("h", buckets: [1000, 2000, 1_000_000, 5_000_000_000])
        let (plain, native) = (MetricsRegistry(shardCount: 2), MetricsRegistry(shardCount: 2, nativeHistogramSchema: 3))
        let series = [try plain.histogram(descriptor), try native.histogram(descriptor)]
        var generator = SeededGenerator(seed: 6)
        for step in 0..<3000 {
            let raw = generator.next() >> (20 + generator.next() % 44)
            for histogram in series {
                if step % 3 == 2 {
                    histogram.observe(raw: raw)
                } else {
                    histogram.observe(raw: raw, shard: step % 3)
                }
            }
        }
        #expect(plain.page() == native.page())
        #expect(plain.bytes(.openMetrics100) == native.bytes(.openMetrics100))
        #expect(series[0].bucketCounts == series[1].bucketCounts && series[1].count == 3000)
        #expect(series[0].sum == series[1].sum)
    }

    @Test("Spans and deltas hold exactly what was observed", arguments: [-2, 3, 8])
    func spans(schema: Int) throws {
        let registry = MetricsRegistry(shardCount: 1, nativeHistogramSchema: schema)
        let series = try registry.histogram(.seconds("h", buckets: [3_000_000]))
        let layout = Self.layout(schema, classic: [3_000_000])
        func histogram() throws -> ProtobufPage.Histogram {
            try #require(try registry.protobufPage().families.first?.metrics.first?.histogram)
        }
        let empty = try histogram()
        #expect(empty.schema == Int64(schema) && empty.zeroThreshold == layout.zeroThreshold)
        #expect(empty.count == 0 && empty.zeroCount == 0 && empty.spans.isEmpty && empty.deltas.isEmpty)

        var expected: [Int: UInt64] = [:]
        var zeros: UInt64 = 0
        let raws: [UInt64] = [
            0, 7, 2_000_000, 2_200_000, 2_400_000, 3_100_000, 3_100_000, 90_000_000_000, 90_000_000_001, .max,
        ]
        for raw in raws {
            series.observe(raw: raw, shard: 0)
            let bucket = layout.bucket(of: raw)
            if bucket == 0 { zeros += 1 } else { expected[bucket + layout.lowestIndex - 1, default: 0] += 1 }
        }
        let found = try histogram()
        #expect(found.zeroCount == zeros && found.count == UInt64(raws.count))
        #expect(try found.positiveBuckets().filter { $0.value > 0 } == expected)
        #expect(found.spans.dropFirst().allSatisfy { $0.offset > 2 })
        #expect(found.buckets.map(\.cumulative) == [5])
    }

    @Test("Both sorts of buckets and the count agree in every scrape, while observations go on")
    func consistency() async throws {
        let registry = MetricsRegistry(shardCount: 2, nativeHistogramSchema: 3)
        let series = try registry.histogram(.seconds("h", buckets: [1000, 1_000_000, 20_000_000]))
        let rounds = 200_000
        try await withThrowingTaskGroup { group in
            for shard in 0..<3 {
                group.addTask {
                    var generator = SeededGenerator(seed: UInt64(shard))
                    for _ in 0..<rounds {
                        let raw = generator.next() >> (30 + generator.next() % 34)
                        if shard == 2 {
                            series.observe(raw: raw)
                        } else {
                            series.observe(raw: raw, shard: shard)
                        }
                    }
                }
            }
            var last: UInt64 = 0
            var lastBuckets: [Int: UInt64] = [:]
            while last < UInt64(rounds * 3) {
                let histogram = try #require(try registry.protobufPage().families.first?.metrics.first?.histogram)
                let buckets = try histogram.positiveBuckets()
                let count = try #require(histogram.count)
                #expect(buckets.values.reduce(histogram.zeroCount ?? 0, +) == count)
                #expect(histogram.buckets.map(\.cumulative).allSatisfy { $0 <= count })
                #expect(count >= last && lastBuckets.allSatisfy { $0.value <= buckets[$0.key] ?? 0 })
                (last, lastBuckets) = (count, buckets)
                await Task.yield()
            }
            try await group.waitForAll()
        }
    }

    @Test("Cells of retired series are used again, and empty")
    func reuse() throws {
        let clock = TestClock()
        let registry = MetricsRegistry(
            shardCount: 1, retiredSeriesTTL: .seconds(1), nativeHistogramSchema: 8, clock: clock.reading)
        let descriptor = MetricDescriptor.seconds("h", buckets: [1], labels: ["l"])
        var bytes = 0
        for round in 0..<50 {
            let series = try registry.histogram(descriptor, labels: ["\(round)"])
            #expect(series.count == 0 && series.sum == 0)
            series.observe(raw: 5_000_000, shard: 0)
            series.observe(raw: 0)
            registry.retire(series)
            registry.acknowledge(shard: 0)
            clock.advance(seconds: 2)
            for _ in 0..<3 { registry.sweep() }
            if round == 1 { bytes = registry.allocatedCellBytes }
        }
        #expect(registry.allocatedCellBytes == bytes)
    }

    @Test("A series takes 44 × 2^schema cells a shard, and as much again for all other threads", arguments: [0, 3, 8])
    func memory(schema: Int) throws {
        let registry = MetricsRegistry(shardCount: 2, nativeHistogramSchema: schema)
        let descriptor = MetricDescriptor.seconds("h", buckets: [1, 2, 3], labels: ["l"])
        _ = try registry.histogram(descriptor, labels: ["a"])
        let before = registry.allocatedCellBytes
        _ = try registry.histogram(descriptor, labels: ["b"])
        let cells = 44 << schema
        let added = registry.allocatedCellBytes - before
        // The zero bucket, the classic bounds, and two cache lines between shards are the rest.
        #expect(added >= cells * 3 * 8 && added <= (cells + 1 + 3 + 31) * 3 * 8)
    }
}
