import NetworkTypes

/// The way to the destinations behind one agent, on one worker. The engine knows nothing more of agents than this.
/// Called on the worker alone.
public protocol UpstreamTunnel: AnyObject, Sendable {
    /// Takes one of the handshakes that may be in flight; nil while there is none. The engine asks before it connects,
    /// and again after a pause that grows.
    func reserve() -> (any TunnelReservation)?

    /// The agent could not be connected, or its name has no address. Such a dial fails with ``DialFailure/agent``, as
    /// does one that never had its turn (``reserve()``), of which this is not called.
    func connectFailed(_ reason: DialFailure)
}

/// A handshake that may be in flight. It is given back when the object goes. Confined to the worker.
public protocol TunnelReservation: AnyObject {
    /// Creates the session of a connection with the agent. Its handshake includes the agent's own dial, and takes the
    /// reservation over.
    func makeSession(for request: TunnelSessionRequest) -> any SecureSession
}

/// The facts that the session of a connection with an agent is made from.
public struct TunnelSessionRequest {
    /// The destination.
    public let destination: AgentDestination
    /// The client's address: the effective one, after a trusted PROXY header.
    public let clientAddress: SocketAddress
    /// The address to which the client connected.
    public let localAddress: SocketAddress
    /// The time that is left for the dial.
    public let timeLeft: Duration

    /// Joins the facts.
    public init(
        _ destination: AgentDestination, clientAddress: SocketAddress, localAddress: SocketAddress, timeLeft: Duration
    ) {
        self.destination = destination
        self.clientAddress = clientAddress
        self.localAddress = localAddress
        self.timeLeft = timeLeft
    }
}
