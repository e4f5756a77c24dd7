import CoreMetrics
import Testing
import WeirMetrics

@testable import WeirSwiftMetrics

@Suite struct MetricNamingTests {
    @Test(
        "labels become names that Prometheus takes",
        arguments: [
            ("requests", Instrument.counter, "requests_total"),
            ("requests_total", .counter, "requests_total"),
            ("http.server.requests", .floatingPointCounter, "http_server_requests_total"),
            ("pool:size", .meter, "pool_size"),
            ("5xx", .meter, "_5xx"),
            ("", .meter, "_"),
            ("größe\nin MB", .recorder, "gr__e_in_MB"),
            ("latency", .timer, "latency_seconds"),
            ("latency_seconds", .timer, "latency_seconds"),
            ("seconds", .timer, "seconds_seconds"),
            ("_private", .recorder, "_private"),
        ])
    func names(label: String, instrument: Instrument, expected: String) {
        #expect(MetricNaming.name(label, of: instrument, prefix: "") == expected)
    }

    @Test func `the prefix is a part of the name`() {
        #expect(MetricNaming.name("5xx", of: .counter, prefix: "app.") == "app_5xx_total")
    }

    @Test(
        "names of dimensions become names of labels",
        arguments: [
            ("method", "method"), ("http.method", "http_method"), ("a:b", "a_b"), ("__name__", "_name__"), ("", "_"),
            ("le", "le_"), ("2nd", "_2nd"), ("..x", "_x"),
        ])
    func labels(dimension: String, expected: String) {
        #expect(MetricNaming.label(dimension) == expected)
    }

    @Test func `the order of dimensions makes no difference, and of two with one name the later counts`() {
        let found = MetricNaming.labels([("b", "1"), ("a.b", "2"), ("a", "3"), ("a_b", "4")])
        #expect(found.map(\.name) == ["a", "a_b", "b"])
        #expect(found.map(\.value) == ["3", "4", "1"])
    }

    @Test("every name that comes out is one that the registry takes", arguments: 0..<200)
    func anyText(seed: UInt64) throws {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func next(_ bound: UInt64) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % bound
        }
        let text = String(
            String.UnicodeScalarView(
                (0..<next(12)).compactMap { _ in Unicode.Scalar(UInt32(next(next(2) == 0 ? 0x80 : 0x11_0000))) }))
        let registry = MetricsRegistry(shardCount: 0)
        let factory = try RegistryMetricsFactory(registry)
        _ = factory.makeCounter(label: text, dimensions: [(text, text)])
        _ = factory.makeRecorder(label: text + "!!", dimensions: [(text, text), ("le", "1")], aggregate: true)
        #expect(factory.refusedMetrics == 0)
    }
}
