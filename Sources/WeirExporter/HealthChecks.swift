/// The answer of a health endpoint.
public enum HealthState: Hashable, Sendable {
    /// 200, with this text.
    case ok(String)
    /// 503, with this reason.
    case unavailable(String)
}

/// The questions behind `/healthz` and `/readyz`. They are asked on the exporter's thread, once a request, and must
/// not block.
public struct HealthChecks: Sendable {
    /// Whether the process lives: every worker turns.
    public var health: @Sendable () -> HealthState
    /// Whether it should get traffic: bound, configured, not draining.
    public var readiness: @Sendable () -> HealthState

    /// Both questions; by default the answer is yes.
    public init(
        health: @escaping @Sendable () -> HealthState = { .ok("ok") },
        readiness: @escaping @Sendable () -> HealthState = { .ok("ready") }
    ) {
        self.health = health
        self.readiness = readiness
    }
}
