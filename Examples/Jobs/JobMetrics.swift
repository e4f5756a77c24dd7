import WeirMetrics

/// The metrics of one queue of jobs.
struct JobMetrics: Sendable {
    static let started = MetricDescriptor(
        name: "jobs_started_total", help: "Jobs taken from a queue.", kind: .counter, labelNames: ["queue"])
    static let finished = MetricDescriptor(
        name: "jobs_finished_total", help: "Jobs done.", kind: .counter, labelNames: ["queue", "result"])
    static let running = MetricDescriptor(
        name: "jobs_running", help: "Jobs taken and not yet done.", kind: .gauge, labelNames: ["queue"])
    // Kept in nanoseconds, printed in seconds: bounds of 1 ms, 10 ms, 100 ms and 1 s.
    static let duration = MetricDescriptor(
        name: "job_duration_seconds", help: "Time from start to end.",
        kind: .histogram(buckets: [1_000_000, 10_000_000, 100_000_000, 1_000_000_000]), unit: "seconds",
        scale: .nanosecondsAsSeconds, labelNames: ["queue"])

    let started: Counter
    let succeeded: Counter
    let failed: Counter
    let running: DerivedGauge
    let duration: Histogram

    init(_ registry: MetricsRegistry, queue: String) throws(RegistrationError) {
        started = try registry.counter(Self.started, labels: [queue])
        succeeded = try registry.counter(Self.finished, labels: [queue, "success"])
        failed = try registry.counter(Self.finished, labels: [queue, "failure"])
        running = try registry.derivedGauge(
            Self.running, labels: [queue], beginnings: [started], endings: [succeeded, failed])
        duration = try registry.histogram(Self.duration, labels: [queue])
    }

    /// Does one job on the thread that owns the shard.
    func run(shard: Int, _ job: () -> Bool) {
        started.add(shard: shard)
        let (start, clock) = (ContinuousClock.now, ContinuousClock())
        let isDone = job()
        duration.observe(raw: (clock.now - start).nanoseconds, shard: shard)
        (isDone ? succeeded : failed).add(shard: shard)
    }
}

extension Duration {
    /// Whole nanoseconds; 0 for negative ones.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
    }
}
