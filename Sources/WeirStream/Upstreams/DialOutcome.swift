import LinuxIO
import NetworkTypes

/// The outcome of a call of ``UpstreamConnector``, which its owner performs.
enum DialOutcome: ~Copyable {
    /// The dial is in progress: the owner passes further events to the connector.
    case pending
    /// An upstream is connected. The owner keeps it (``UpstreamConnector/settle(at:)``) or hands it back
    /// (``UpstreamConnector/failed(_:detail:)``). The dial's timeout runs until then.
    case connected(ConnectedUpstream)
    /// No upstream could be reached.
    case failed(DialFailure)
    /// The dial was rejected before it began.
    case rejected(RejectReason)
}

/// A connected upstream, as it is passed to the owner of the connection.
struct ConnectedUpstream: ~Copyable {
    var attempt: DialAttempt
    /// The events that came with the connection.
    let events: EventSet
    let member: UpstreamHandle

    /// Returns the connected socket. The caller owns it.
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
