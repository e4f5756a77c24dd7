import Testing

@testable import WeirMetrics

@Suite struct TextFormatTests {
    @Test func `a page is the golden text`() throws {
        let registry = MetricsRegistry(shardCount: 2)
        let accepted = MetricDescriptor(
            name: "weir_tcp_connections_accepted_total", help: "Connections accepted.", kind: .counter,
            labelNames: ["route"])
        let first = try registry.counter(accepted, labels: ["ssh"])
        let second = try registry.counter(accepted, labels: ["dns"])
        let dials = try registry.histogram(
            .seconds("weir_dial_duration_seconds", buckets: [500_000, 1_000_000_000], labels: ["route"]),
            labels: ["ssh"])
        let limit = try registry.gauge(.gauge("weir_limit"))
        first.add(3, shard: 0)
        first.add(4, shard: 1)
        first.add(5)
        second.add()
        dials.observe(raw: 500_000, shard: 0)
        dials.observe(raw: 500_001, shard: 1)
        dials.observe(raw: 2_000_000_000)
        limit.set(-7)
        #expect(
            registry.page() == """
                # HELP weir_tcp_connections_accepted_total Connections accepted.
                # TYPE weir_tcp_connections_accepted_total counter
                weir_tcp_connections_accepted_total{route="ssh"} 12
                weir_tcp_connections_accepted_total{route="dns"} 1
                # HELP weir_dial_duration_seconds Help.
                # TYPE weir_dial_duration_seconds histogram
                weir_dial_duration_seconds_bucket{route="ssh",le="0.0005"} 1
                weir_dial_duration_seconds_bucket{route="ssh",le="1.0"} 2
                weir_dial_duration_seconds_bucket{route="ssh",le="+Inf"} 3
                weir_dial_duration_seconds_sum{route="ssh"} 2.001000001
                weir_dial_duration_seconds_count{route="ssh"} 3
                # HELP weir_limit Help.
                # TYPE weir_limit gauge
                weir_limit -7

                """)
    }

    @Test func `families come in the order of declaration, and empty ones not at all`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        try registry.declare(.counter("b_total"))
        try registry.declare(.counter("empty_total"))
        _ = try registry.counter(.counter("a_total"))
        _ = try registry.counter(.counter("b_total"))
        #expect(registry.lines() == ["b_total 0", "a_total 0"])
        #expect(!registry.page().contains("empty"))
    }

    @Test func `label values and HELP are escaped by their own rules`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        let descriptor = MetricDescriptor(
            name: "x", help: "a \"quote\", a \\ and\na line", kind: .gauge, labelNames: ["l"])
        _ = try registry.gauge(descriptor, labels: ["a \"quote\", a \\ and\na line, übrigens"])
        #expect(
            registry.page() == #"""
                # HELP x a "quote", a \\ and\na line
                # TYPE x gauge
                x{l="a \"quote\", a \\ and\na line, übrigens"} 0

                """#)
    }

    @Test func `a label value of 10 KB comes through whole`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        let long = String(repeating: "x", count: 10_240)
        _ = try registry.gauge(.gauge("g", labels: ["l"]), labels: [long])
        #expect(registry.lines() == ["g{l=\"\(long)\"} 0"])
    }

    @Test func `names and values of every length come through whole, though they are copied in pieces`() throws {
        let registry = MetricsRegistry(shardCount: 1)
        var expected: [String] = []
        for length in 0...70 {
            let (name, value) = (String(repeating: "n", count: length + 1), String(repeating: "v", count: length))
            let counter = try registry.counter(.counter(name + "_total", labels: ["l"]), labels: [value])
            counter.add(UInt64(length), shard: 0)
            try registry.gauge(.gauge(name + "_g")).set(-1)
            let histogram = try registry.histogram(.seconds(name + "_h", buckets: [5], labels: ["l"]), labels: [value])
            histogram.observe(raw: 5)
            expected += ["\(name)_total{l=\"\(value)\"} \(length)", "\(name)_g -1"]
            expected += ["5e-09", "+Inf"].map { "\(name)_h_bucket{l=\"\(value)\",le=\"\($0)\"} 1" }
            expected += ["\(name)_h_sum{l=\"\(value)\"} 0.000000005", "\(name)_h_count{l=\"\(value)\"} 1"]
        }
        #expect(registry.lines() == expected)
    }

    @Test(
        arguments: [
            (1_000_000_000, "1.0"), (5_000_000, "0.005"), (500_000, "0.0005"), (100_000, "0.0001"), (50_000, "5e-05"),
            (1, "1e-09"), (86_400_000_000_000, "86400.0"), (1_500_000_000, "1.5"), (10_000_000_000, "10.0"),
            (1_000_000_000_000_000, "1e+06"), (1_234_567_000_000_000, "1.234567e+06"), (0, "0.0"),
            (250_000_000, "0.25"), (18_446_744_073_709_551_615, "1.8446744073709551615e+10"),
        ] as [(UInt64, String)])
    func `le is printed canonically`(nanoseconds: UInt64, expected: String) {
        #expect(TextFormat.canonical(nanoseconds, decimalDigits: 9) == expected)
    }

    @Test(
        arguments: [
            (0, "0"), (1, "0.000000001"), (1_000_000_000, "1"), (1_500_000_000, "1.5"), (90_000_000_010, "90.00000001"),
            (.max, "18446744073.709551615"),
        ] as [(UInt64, String)])
    func `nanoseconds are printed as exact seconds`(nanoseconds: UInt64, expected: String) {
        var output = ByteOutput(capacity: 64)
        output.writeLine(nanoseconds, scale: .nanosecondsAsSeconds)
        #expect(String(decoding: output.bytes, as: UTF8.self) == expected + "\n")
    }

    @Test func `integers of every length are printed as Swift prints them`() {
        var value: UInt64 = 1
        for _ in 0..<64 {
            for candidate in [value, value &- 1, value &* 10 &+ 7, .max &- value] {
                var output = ByteOutput(capacity: 64)
                output.write(decimal: candidate)
                #expect(String(decoding: output.bytes, as: UTF8.self) == String(candidate))
            }
            value &*= 2
        }
        var output = ByteOutput(capacity: 64)
        output.writeLine(signed: .min, scale: .one)
        #expect(String(decoding: output.bytes, as: UTF8.self) == "-9223372036854775808\n")
    }

    @Test(
        arguments: [
            [0, 1, 2, 3, 5, 8, 13, 1 << 20, 1 << 63, .max], [500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000],
            [1 << 63, .max - 1], [7], [1000, 1001, 1002, 1003],
        ] as [[UInt64]])
    func `the bucket is right at and around every bound and every power of two`(bounds: [UInt64]) {
        let table = BucketBounds(bounds)
        let edges = bounds + (0..<64).map { 1 << $0 } + [0, .max]
        for value in edges.flatMap({ [$0 &- 1, $0, $0 &+ 1] }) {
            #expect(table.bucket(of: value) == bounds.firstIndex { value <= $0 } ?? bounds.count)
        }
    }

    @Test func `the bucket of every value is the first whose bound is not below it`() {
        for count in 0...20 {
            let bounds = (0..<count).map { UInt64($0 * 10 + 5) }
            let table = BucketBounds(bounds)
            for value in UInt64(0)...220 {
                #expect(table.bucket(of: value) == bounds.firstIndex { value <= $0 } ?? bounds.count)
            }
        }
    }
}
