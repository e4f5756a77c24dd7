import Foundation
import WeirMetrics

/// A thread that does jobs and is the only writer of its lane.
final class Worker: Sendable {
    let lane: Int
    private let registry: MetricsRegistry
    private let isDone = DispatchSemaphore(value: 0)

    init(lane: Int, registry: MetricsRegistry) {
        self.lane = lane
        self.registry = registry
    }

    /// Begins; every seventh job fails.
    func start(jobs: Int, _ metrics: JobMetrics) {
        Thread.detachNewThread { [self] in
            for job in 0..<jobs {
                metrics.run(lane: lane) { job % 7 != 0 }
                // Once a turn: this thread holds no handle that was retired before.
                registry.acknowledge(lane: lane)
            }
            isDone.signal()
        }
    }

    func waitUntilDone() {
        isDone.wait()
    }
}
