import Synchronization
import WeirMetrics

/// A clock that stands still until a test moves it.
final class TestClock: Sendable {
    private let nanoseconds = Atomic<UInt64>(1)

    var reading: @Sendable () -> UInt64 {
        { self.nanoseconds.load(ordering: .sequentiallyConsistent) }
    }

    func advance(seconds: UInt64) {
        nanoseconds.wrappingAdd(seconds * 1_000_000_000, ordering: .sequentiallyConsistent)
    }
}

extension MetricsRegistry {
    /// A page as text.
    func page() -> String {
        var buffer = ScrapeBuffer()
        render(into: &buffer)
        return buffer.text
    }

    /// The series lines of a page.
    func lines() -> [String] {
        page().split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
    }
}

extension MetricDescriptor {
    static func counter(_ name: String, labels: [String] = [], isExposed: Bool = true) -> MetricDescriptor {
        MetricDescriptor(name: name, help: "Help.", kind: .counter, labelNames: labels, isExposed: isExposed)
    }

    static func gauge(_ name: String, labels: [String] = []) -> MetricDescriptor {
        MetricDescriptor(name: name, help: "Help.", kind: .gauge, labelNames: labels)
    }

    static func seconds(_ name: String, buckets: [UInt64], labels: [String] = []) -> MetricDescriptor {
        MetricDescriptor(
            name: name, help: "Help.", kind: .histogram(buckets: buckets), unit: "seconds",
            scale: .nanosecondsAsSeconds, labelNames: labels)
    }
}
