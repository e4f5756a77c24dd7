import LinuxIO

/// The totals of a connection or session, reported once at its end.
public struct FlowTotals: Sendable {
    /// The time from the accept, or the first datagram, to the end.
    public let duration: Duration
    /// Bytes read from the client.
    public let ingressBytes: UInt64
    /// Bytes read from the upstream.
    public let egressBytes: UInt64
    /// Datagrams forwarded to the upstream; 0 for TCP.
    public let ingressDatagrams: UInt64
    /// Datagrams forwarded to the client; 0 for TCP.
    public let egressDatagrams: UInt64
    /// The index of the upstream that was reached (for UDP: chosen), if any.
    public let upstream: Int?
}

/// Receives the events of a stream's connections and sessions, to count or log them. Every function has an empty
/// default.
///
/// Unless its comment says otherwise, a function runs synchronously on the worker that its argument or its context
/// names: it must not block, and it may keep a counter per worker without sharing a cache line.
public protocol StreamObserver: Sendable {
    /// A connection was accepted, or the first datagram of a session arrived; later rejections included. While
    /// ``StreamContext/awaitsProxyHeader`` is true, only the peer of the connection is known.
    func opened(_ context: StreamContext)
    /// A PROXY header was read; a connection's context names its client from now on. `context` is nil for a datagram
    /// that belongs to no session, or opens one.
    func proxyHeaderRead(_ context: StreamContext?, version: ProxyHeader.Version, worker: Int)
    /// A required header was missing, or a header was refused; `excerpt` has its first bytes, as far as they came. The
    /// connection is rejected next; a datagram, which has no `context`, is dropped.
    func proxyHeaderFailed(
        _ context: StreamContext?, reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int)
    /// The connection or session ended before its dial. Nothing else follows for this context.
    func rejected(_ context: StreamContext, reason: RejectReason)
    /// The pre-dial hook ended, with any decision.
    func preDialFinished(_ context: StreamContext, duration: Duration)
    /// A dial succeeded. UDP: the socket is ready, which does not show that the upstream is there.
    func dialed(_ context: StreamContext, upstream: Int, duration: Duration)
    /// A dial failed: called once per dial, not per address. `detail` is for the log.
    func dialFailed(_ context: StreamContext, upstream: Int, reason: DialFailure, detail: SystemError?)
    /// A timer fired.
    func timedOut(_ context: StreamContext, kind: TimeoutKind)
    /// Reading in `direction` was paused.
    func paused(_ context: StreamContext, direction: Direction, cause: PauseCause)
    /// Bytes that were read can no longer be delivered.
    func discarded(_ context: StreamContext, direction: Direction, byteCount: Int)
    /// An accepted TCP connection ended. Nothing else follows for this context.
    func connectionClosed(_ context: StreamContext, reason: ConnectionCloseReason, totals: FlowTotals)

    /// The kernel accepted datagrams for sending.
    func forwarded(_ context: StreamContext, direction: Direction, datagrams: Int, byteCount: Int)
    /// Datagrams were dropped. `context` is nil where they belong to no session.
    func dropped(_ context: StreamContext?, direction: Direction, reason: DropReason, datagrams: Int, worker: Int)
    /// The network reported an error for a session's upstream.
    func upstreamFailed(_ context: StreamContext, upstream: Int, reason: UpstreamErrorReason)
    /// A session leaves an upstream that refused its datagrams and never answered, for another one:
    /// ``dialed(_:upstream:duration:)`` follows.
    func upstreamLeft(_ context: StreamContext, upstream: Int)
    /// A session was connected anew, in place. ``StreamContext/upstreamAddress`` is the present address.
    func moved(_ context: StreamContext, reason: SessionMoveReason)
    /// An accepted UDP session ended. Nothing else follows for this context.
    func sessionClosed(_ context: StreamContext, reason: SessionCloseReason, totals: FlowTotals)

    /// accept(2) failed.
    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int)
    /// The listener stopped accepting until descriptors or connections are free.
    func acceptPaused(worker: Int)
    /// The lookup of an upstream's name ended, with its failure where it has one: ``DialFailure/dnsNotFound``,
    /// ``DialFailure/dnsTimeout`` or ``DialFailure/dnsFailure``. Called on any thread, not on a worker.
    func resolved(upstream: Int, failure: DialFailure?)
}

extension StreamObserver {
    /// Does nothing.
    public func opened(_ context: StreamContext) {}
    /// Does nothing.
    public func proxyHeaderRead(_ context: StreamContext?, version: ProxyHeader.Version, worker: Int) {}
    /// Does nothing.
    public func proxyHeaderFailed(
        _ context: StreamContext?, reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int
    ) {}
    /// Does nothing.
    public func rejected(_ context: StreamContext, reason: RejectReason) {}
    /// Does nothing.
    public func preDialFinished(_ context: StreamContext, duration: Duration) {}
    /// Does nothing.
    public func dialed(_ context: StreamContext, upstream: Int, duration: Duration) {}
    /// Does nothing.
    public func dialFailed(_ context: StreamContext, upstream: Int, reason: DialFailure, detail: SystemError?) {}
    /// Does nothing.
    public func timedOut(_ context: StreamContext, kind: TimeoutKind) {}
    /// Does nothing.
    public func paused(_ context: StreamContext, direction: Direction, cause: PauseCause) {}
    /// Does nothing.
    public func discarded(_ context: StreamContext, direction: Direction, byteCount: Int) {}
    /// Does nothing.
    public func connectionClosed(_ context: StreamContext, reason: ConnectionCloseReason, totals: FlowTotals) {}
    /// Does nothing.
    public func forwarded(_ context: StreamContext, direction: Direction, datagrams: Int, byteCount: Int) {}
    /// Does nothing.
    public func dropped(
        _ context: StreamContext?, direction: Direction, reason: DropReason, datagrams: Int, worker: Int
    ) {}
    /// Does nothing.
    public func upstreamFailed(_ context: StreamContext, upstream: Int, reason: UpstreamErrorReason) {}
    /// Does nothing.
    public func upstreamLeft(_ context: StreamContext, upstream: Int) {}
    /// Does nothing.
    public func moved(_ context: StreamContext, reason: SessionMoveReason) {}
    /// Does nothing.
    public func sessionClosed(_ context: StreamContext, reason: SessionCloseReason, totals: FlowTotals) {}
    /// Does nothing.
    public func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) {}
    /// Does nothing.
    public func acceptPaused(worker: Int) {}
    /// Does nothing.
    public func resolved(upstream: Int, failure: DialFailure?) {}
}
