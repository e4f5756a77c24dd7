import Synchronization
public import WeirExporter

/// Whether the process lives and whether it should get traffic: what `/healthz` and `/readyz` answer. Any thread.
public final class Health: Sendable {
    /// The phases of the process's life.
    public enum Phase: UInt8, Sendable {
        /// Not every route of the file is bound yet.
        case starting
        /// All of these serve, and the containers of an engine, which may be further routes, are not known yet.
        case awaitingContainers
        /// Every route is bound and serves.
        case ready
        /// Old connections finish; new ones should go elsewhere.
        case draining
    }

    private let phaseValue = Atomic<UInt8>(Phase.starting.rawValue)
    /// How long a worker may take for one turn before it counts as stalled.
    public static let maxTurn: Duration = .seconds(5)

    /// At the start.
    public init() {}

    /// The current phase.
    public var phase: Phase {
        get { Phase(rawValue: phaseValue.load(ordering: .relaxed)) ?? .starting }
        set { phaseValue.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// Alive: every worker turned within ``maxTurn``.
    public static func liveness(stalledWorker: Int?) -> HealthState {
        guard let worker = stalledWorker else { return .ok("ok") }
        return .unavailable("worker \(worker) has not turned for \(maxTurn.components.seconds) s")
    }

    /// Ready: bound, configured, not draining.
    public var readiness: HealthState {
        switch phase {
        case .starting: .unavailable("starting: not every route is bound yet")
        case .awaitingContainers: .unavailable("starting: the containers of an engine are not known yet")
        case .ready: .ok("ready")
        case .draining: .unavailable("draining")
        }
    }
}
