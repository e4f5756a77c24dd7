import LinuxIO
import NetworkTypes

/// The outcome of a call of ``UpstreamConnector``, for its owner to perform.
enum DialOutcome: ~Copyable {
    /// Nothing to do: the connector goes on, and hears of it through its owner.
    case pending
    /// An upstream is connected. The owner keeps it (``UpstreamConnector/settle(at:)``) or hands it back
    /// (``UpstreamConnector/failed(_:detail:)``); until then the time of the dial goes on.
    case connected(ConnectedUpstream)
    /// No upstream could be reached.
    case failed(DialFailure)
    /// There will be no dial.
    case rejected(RejectReason)
}

/// A connected upstream on its way to the owner of the connection.
struct ConnectedUpstream: ~Copyable {
    var attempt: DialAttempt
    /// The events that came with the connection.
    let events: EventSet
    let member: UpstreamHandle

    /// The connected socket, whose owner the caller is now.
    consuming func takeSocket() -> Socket { attempt.socket }
}

extension DialOutcome {
    var isConnected: Bool {
        switch self {
        case .connected(_): true
        case .pending: false
        case .failed(_): false
        case .rejected(_): false
        }
    }
}
