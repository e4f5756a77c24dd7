/// Why a container is, or is not, a part of a route.
public struct ContainerVerdict: Sendable, Equatable {
    /// The states of the label `state`.
    public enum State: String, Sendable, CaseIterable {
        /// It is an upstream of its routes.
        case routed
        /// No label of it makes a route.
        case notStream = "not_stream"
        /// It does not run, or was told to end.
        case notRunning = "not_running"
        /// Its engine says that it does not serve, or not yet.
        case unhealthy
        /// Its labels, its network or its ports are wrong.
        case error
    }

    /// The name of the engine.
    public let engine: String
    /// The identifier of the container.
    public let id: String
    /// The name of the container.
    public let container: String
    /// The state.
    public var state: State
    /// The routes that it is a part of, or asks for.
    public var routes: [String] = []
    /// The sort of error.
    public var reason: EngineErrorReason?
    /// The reason in words, one line each; the first of an error names its label.
    public var remarks: [String] = []

    /// The key of the container among those of all engines.
    var key: ContainerKey { ContainerKey(engine: engine, id: id) }
}

/// A container among those of all engines.
struct ContainerKey: Hashable, Sendable {
    let engine: String
    let id: String
}
