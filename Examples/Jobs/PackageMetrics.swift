// Not WeirMetrics as well, which has a Counter of its own.
import CoreMetrics

/// The metrics of a package that uses swift-metrics and does not know Weir.
enum PackageMetrics {
    static func measure() {
        let requests = Counter(label: "http.client.requests", dimensions: [("method", "GET")])
        requests.increment(by: 3)
        Timer(label: "http.client.latency").recordMilliseconds(12)
        Meter(label: "http.client.pool").set(2.5)
    }
}
