import CoreMetrics
import Testing
import WeirMetrics
import WeirSwiftMetrics

/// Each instrument of swift-metrics, and its series on the page.
@Suite struct InstrumentTests {
    let registry = MetricsRegistry(shardCount: 0)
    let refusals = Refusals()
    let factory: RegistryMetricsFactory

    init() throws {
        factory = try RegistryMetricsFactory(registry, options: refusals.options())
    }

    @Test func `a counter counts, and is not moved by what would lower it`() {
        let counter = CoreMetrics.Counter(label: "requests", dimensions: [("method", "GET")], factory: factory)
        counter.increment()
        counter.increment(by: 41)
        counter.increment(by: -5)
        counter.reset()
        #expect(registry.lines() == [#"requests_total{method="GET"} 42"#])
        #expect(factory.ignoredUpdates == 1)
    }

    @Test func `a floating-point counter loses nothing of many small amounts`() {
        let counter = FloatingPointCounter(label: "joules", factory: factory)
        for _ in 0..<1_000 { counter.increment(by: 0.000_000_25) }
        #expect(registry.lines() == ["joules_total 0.00025"])
        counter.increment(by: 0.29)
        counter.increment(by: 2.5)
        #expect(registry.lines() == ["joules_total 2.79025"])
    }

    @Test(
        "values that cannot be kept are ignored and counted",
        arguments: [Double.nan, .infinity, -1, 1e18, -.infinity])
    func unusable(value: Double) {
        FloatingPointCounter(label: "joules", factory: factory).increment(by: value)
        Recorder(label: "size", factory: factory).record(value)
        #expect(factory.ignoredUpdates == 2)
        #expect(registry.lines("joules") == ["joules_total 0"])
        #expect(registry.lines("size_count") == ["size_count 0"])
    }

    @Test func `a meter is set, rises and falls`() {
        let meter = Meter(label: "pool.size", factory: factory)
        meter.set(12)
        #expect(registry.lines() == ["pool_size 12"])
        meter.set(-0.5)
        #expect(registry.lines() == ["pool_size -0.5"])
        meter.increment(by: 2.25)
        meter.decrement()
        #expect(registry.lines() == ["pool_size 0.75"])
        meter.set(Double.nan)
        meter.set(Int64.max)
        #expect(registry.lines() == ["pool_size 0.75"])
        #expect(factory.ignoredUpdates == 2)
    }

    @Test func `a gauge is the meter of the same name`() {
        CoreMetrics.Gauge(label: "pool.size", factory: factory).record(3)
        #expect(registry.lines() == ["pool_size 3"])
        Meter(label: "pool.size", factory: factory).increment()
        #expect(registry.lines() == ["pool_size 4"])
    }

    @Test func `a recorder is a histogram`() {
        let recorder = Recorder(label: "batch", factory: factory)
        recorder.record(1)
        recorder.record(4.5)
        recorder.record(10_000_000)
        #expect(
            registry.lines().filter { $0.contains("\"1.0\"") || $0.contains("\"4.0\"") || $0.contains("\"16.0\"") }
                == [#"batch_bucket{le="1.0"} 1"#, #"batch_bucket{le="16.0"} 2"#, #"batch_bucket{le="4.0"} 1"#])
        #expect(registry.lines("batch_sum") == ["batch_sum 10000005.5"])
        #expect(registry.lines("batch_count") == ["batch_count 3"])
    }

    @Test func `a timer is a histogram in seconds, whatever unit it prefers`() {
        let timer = Timer(label: "latency", preferredDisplayUnit: .milliseconds, factory: factory)
        timer.recordMilliseconds(20)
        timer.recordSeconds(3)
        timer.recordNanoseconds(-1)
        #expect(registry.lines(#"latency_seconds_bucket{le="0.025"}"#) == [#"latency_seconds_bucket{le="0.025"} 1"#])
        #expect(registry.lines("latency_seconds_sum") == ["latency_seconds_sum 3.02"])
        #expect(registry.lines("latency_seconds_count") == ["latency_seconds_count 2"])
        #expect(factory.ignoredUpdates == 1)
    }

    @Test func `prefix, buckets and resolution are the program's choice`() throws {
        let options = refusals.options { options in
            options.prefix = "app_"
            options.timerBuckets = { $0 == "latency" ? [0.1, 1] : [] }
            options.recorderBuckets = { _ in [0.5] }
            options.resolution = { $0 == "ratio" ? .billionths : .whole }
        }
        let factory = try RegistryMetricsFactory(registry, options: options)
        Timer(label: "latency", factory: factory).recordMilliseconds(100)
        Recorder(label: "ratio", factory: factory).record(0.000_000_001)
        Meter(label: "size", factory: factory).set(1.6)
        #expect(
            registry.lines("app_") == [
                #"app_latency_seconds_bucket{le="+Inf"} 1"#, #"app_latency_seconds_bucket{le="0.1"} 1"#,
                #"app_latency_seconds_bucket{le="1.0"} 1"#, "app_latency_seconds_count 1",
                "app_latency_seconds_sum 0.1",
                #"app_ratio_bucket{le="+Inf"} 1"#, #"app_ratio_bucket{le="0.5"} 1"#, "app_ratio_count 1",
                "app_ratio_sum 0.000000001", "app_size 2", "app_swift_metrics_ignored_updates_total 0",
                "app_swift_metrics_refused_total 0",
            ])
    }

    @Test(
        "buckets that make no histogram are refused",
        arguments: [[2, 1], [1, 1], [.nan], [-1, 1], [1, .infinity]])
    func badBuckets(bounds: [Double]) throws {
        let factory = try RegistryMetricsFactory(
            registry, options: refusals.options { $0.timerBuckets = { _ in bounds } })
        Timer(label: "latency", factory: factory).recordSeconds(1)
        #expect(refusals.all == [.registration(.invalidBuckets(metric: "latency_seconds"))])
        #expect(registry.lines() == [])
    }
}
