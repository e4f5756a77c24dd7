import Foundation
import WeirMetrics

/// A thread that does jobs and is the only writer of its shard.
final class Worker: Sendable {
    let shard: Int
    private let registry: MetricsRegistry
    private let isDone = DispatchSemaphore(value: 0)

    init(shard: Int, registry: MetricsRegistry) {
        self.shard = shard
        self.registry = registry
    }

    /// Begins; every seventh job fails.
    func start(jobs: Int, _ metrics: JobMetrics) {
        Thread.detachNewThread { [self] in
            for job in 0..<jobs {
                metrics.run(shard: shard) { job % 7 != 0 }
                // Once a turn: this thread holds no handle that was retired before.
                registry.acknowledge(shard: shard)
            }
            isDone.signal()
        }
    }

    func waitUntilDone() {
        isDone.wait()
    }
}
