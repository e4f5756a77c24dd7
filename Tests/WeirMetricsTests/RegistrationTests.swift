import Testing
import WeirMetrics

@Suite struct RegistrationTests {
    let registry = MetricsRegistry(shardCount: 1, maxSeries: 10)

    @Test func `the same name and labels give the same series`() throws {
        let first = try registry.counter(.counter("a_total", labels: ["l"]), labels: ["x"])
        let second = try registry.counter(.counter("a_total", labels: ["l"]), labels: ["x"])
        first.add(2, shard: 0)
        second.add(3)
        #expect(first.value == 5)
        #expect(first.seriesID == second.seriesID)
        #expect(registry.lines() == ["a_total{l=\"x\"} 5"])
    }

    @Test func `a name with another type, label set, help or unit is refused`() throws {
        _ = try registry.counter(.counter("a_total", labels: ["l"]), labels: ["x"])
        #expect(throws: RegistrationError.descriptorMismatch(metric: "a_total", .kind)) {
            try registry.gauge(.gauge("a_total", labels: ["l"]), labels: ["x"])
        }
        #expect(throws: RegistrationError.descriptorMismatch(metric: "a_total", .labelNames)) {
            try registry.counter(.counter("a_total", labels: ["m"]), labels: ["x"])
        }
        var other = MetricDescriptor.counter("a_total", labels: ["l"])
        other.help = "Other."
        #expect(throws: RegistrationError.descriptorMismatch(metric: "a_total", .help)) {
            try registry.counter(other, labels: ["x"])
        }
        other = .counter("a_total", labels: ["l"])
        other.scale = .nanosecondsAsSeconds
        #expect(throws: RegistrationError.descriptorMismatch(metric: "a_total", .unit)) {
            try registry.counter(other, labels: ["x"])
        }
    }

    @Test func `a histogram with other buckets is refused`() throws {
        _ = try registry.histogram(.seconds("h", buckets: [1, 2]))
        #expect(throws: RegistrationError.descriptorMismatch(metric: "h", .buckets)) {
            try registry.histogram(.seconds("h", buckets: [1, 3]))
        }
        #expect(throws: RegistrationError.invalidBuckets(metric: "i")) {
            try registry.histogram(.seconds("i", buckets: [2, 2]))
        }
    }

    @Test(arguments: ["", "1a", "a-b", "a b", "ü"])
    func `bad metric names are refused`(name: String) {
        #expect(throws: RegistrationError.invalidMetricName(name)) { try registry.gauge(.gauge(name)) }
    }

    @Test(arguments: ["", "1a", "a:b", "__a", "ü"])
    func `bad label names are refused`(name: String) {
        #expect(throws: RegistrationError.invalidLabelName(metric: "g", label: name)) {
            try registry.gauge(.gauge("g", labels: [name]), labels: ["x"])
        }
    }

    @Test func `a wrong number of label values is refused`() {
        #expect(throws: RegistrationError.labelCountMismatch(metric: "g", expected: 1, found: 0)) {
            try registry.gauge(.gauge("g", labels: ["l"]))
        }
    }

    @Test func `a descriptor of another kind is refused`() {
        #expect(throws: RegistrationError.wrongKind(metric: "g", expected: "counter")) {
            try registry.counter(.gauge("g"))
        }
    }

    @Test func `names that a histogram or a counter occupies are taken`() throws {
        _ = try registry.histogram(.seconds("h", buckets: [1]))
        #expect(throws: RegistrationError.nameTaken(metric: "h_count", name: "h_count")) {
            try registry.counter(.counter("h_count"))
        }
        _ = try registry.counter(.counter("c_total"))
        #expect(throws: RegistrationError.nameTaken(metric: "c", name: "c")) { try registry.gauge(.gauge("c")) }
    }

    @Test func `lines over the limit are refused and counted`() throws {
        for index in 0..<8 { _ = try registry.counter(.counter("a_total", labels: ["l"]), labels: ["\(index)"]) }
        #expect(throws: RegistrationError.seriesLimitReached(metric: "h", limit: 10)) {
            try registry.histogram(.seconds("h", buckets: [1]))
        }
        #expect(registry.droppedSeries == 4)
        _ = try registry.gauge(.gauge("last"))
        registry.discardingHistogram.observe(raw: 5, shard: 0)
        #expect(registry.lines().count == 9)
    }

    @Test func `callbacks refresh gauges before each page`() throws {
        let gauge = try registry.gauge(.gauge("g"))
        let total = try registry.counter(.counter("cpu_total"))
        registry.onCollect { gauge.add(1) }
        registry.onCollect { total.raise(to: UInt64(gauge.value) * 10) }
        #expect(registry.lines() == ["g 1", "cpu_total 10"])
        #expect(registry.lines() == ["g 2", "cpu_total 20"])
    }
}
