import Glibc
import Synchronization
import Testing
import WeirMetrics
import WeirSwiftMetrics

extension MetricsRegistry {
    /// The series lines of a page whose name begins so, sorted; without the factory's own.
    func lines(_ prefix: String = "") -> [String] {
        var buffer = ScrapeBuffer()
        render(into: &buffer)
        return buffer.text.split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") && !$0.hasPrefix("swift_metrics_") && $0.hasPrefix(prefix) }.sorted()
    }
}

/// Keeps what a factory refused.
final class Refusals: Sendable {
    private let kept = Mutex<[RegistryMetricsFactory.Refusal]>([])

    var all: [RegistryMetricsFactory.Refusal] { kept.withLock { $0 } }

    func options(
        _ change: (inout RegistryMetricsFactory.Options) -> Void = { _ in }
    ) -> RegistryMetricsFactory.Options {
        var options = RegistryMetricsFactory.Options()
        options.onRefusal = { refusal in self.kept.withLock { $0.append(refusal) } }
        change(&options)
        return options
    }
}

/// Runs `body` on `count` threads of their own and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let threads = (0..<count).map { index in
        var thread = pthread_t()
        // Proof: the thread takes the reference back.
        let work = Unmanaged.passRetained(Work { body(index) })
        let result = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, work.toOpaque())
        precondition(result == 0)
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}
