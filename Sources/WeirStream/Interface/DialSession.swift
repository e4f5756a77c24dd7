public import LinuxIO

/// A session behind which another dial goes on, at an agent: that of the proxy's tunnel to it, or that of the agent's
/// client. The engine asks for it at handshakes and ends of dials, never for bytes.
public protocol DialSession: SecureSession {
    /// The reason of a dial whose handshake failed.
    var dialFailure: DialFailure { get }

    /// The reason of a dial whose handshake takes too long.
    var timeoutFailure: DialFailure { get }

    /// Whether a PROXY header of the route is for a destination behind the peer, and so follows the handshake. One for
    /// the peer itself precedes it, in clear.
    var carriesProxyHeader: Bool { get }

    /// The reason of a client whose handshake ended with ``HandshakeStep/refused``.
    var refusal: RejectReason { get }

    /// The dial for this client has ended. A session whose client waits for that answers here, and then ends its output
    /// unless the upstream is connected.
    /// - Returns: whether the client was told, so that the connection of a failed dial ends without a reset.
    func dialEnded(_ end: DialEnd, on socket: borrowing Socket) -> Bool
}

extension DialSession {
    /// The handshake of TLS.
    public var dialFailure: DialFailure { .tls }

    /// The peer's silence.
    public var timeoutFailure: DialFailure { .timeout }

    /// False: the header precedes the handshake.
    public var carriesProxyHeader: Bool { false }

    /// The handshake.
    public var refusal: RejectReason { .tls }

    /// Tells nothing.
    public func dialEnded(_ end: DialEnd, on socket: borrowing Socket) -> Bool { false }
}
