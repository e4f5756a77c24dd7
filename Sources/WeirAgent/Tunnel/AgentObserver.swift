public import NetworkTypes

/// Receives the events of the tunnels to one agent. Called on the worker that it names; must not block.
public protocol AgentObserver: AnyObject, Sendable {
    /// The agent has taken a tunnel, whatever became of its own dial. The time is that of the TLS handshake.
    func handshakeSucceeded(isResumed: Bool, nanoseconds: UInt64, worker: Int)
    /// No tunnel could be had.
    func handshakeFailed(_ reason: AgentFailure, worker: Int)
    /// A tunnel carries bytes.
    func tunnelOpened(worker: Int)
    /// A tunnel that carried bytes has ended.
    func tunnelClosed(worker: Int)
}
