import LinuxIO

/// How a connection or session went, told once at its end.
public struct FlowTotals: Sendable {
    /// From the accept, or the first datagram, to the end.
    public let duration: Duration
    /// Bytes read from the client.
    public let ingressBytes: UInt64
    /// Bytes read from the upstream.
    public let egressBytes: UInt64
    /// Datagrams forwarded towards the upstream; 0 for TCP.
    public let ingressDatagrams: UInt64
    /// Datagrams forwarded towards the client; 0 for TCP.
    public let egressDatagrams: UInt64
    /// The index of the upstream that was reached (for UDP: chosen), if any.
    public let upstream: Int?
}

/// Sees the life of a stream's connections and sessions, and counts or logs it. Every function has an empty default.
///
/// Unless said otherwise a function runs synchronously on the worker whose index it is given (or that its context
/// names): it must not block, and it may keep a counter per worker without sharing a cache line.
public protocol StreamObserver: Sendable {
    /// A connection was accepted, or a session's first datagram came; rejected ones included. Of a connection whose
    /// ``StreamContext/awaitsProxyHeader`` is true, only the peer is known yet.
    func opened(_ context: StreamContext)
    /// A PROXY header was read; a connection's context names its client from now on. `context` is nil for a datagram whose
    /// session is not there, or is not opened yet.
    func proxyHeaderRead(_ context: StreamContext?, version: ProxyHeader.Version, worker: Int)
    /// A header was refused, or there was none where one must be. A connection is rejected next; a datagram, which has no
    /// `context`, is dropped.
    func proxyHeaderFailed(_ context: StreamContext?, reason: ProxyHeaderError, worker: Int)
    /// It was ended before a dial. Nothing else follows for this context.
    func rejected(_ context: StreamContext, reason: RejectReason)
    /// The pre-dial hook ended, whatever it said.
    func preDialFinished(_ context: StreamContext, duration: Duration)
    /// An upstream was reached. UDP: its socket is ready, which says nothing of the upstream.
    func dialed(_ context: StreamContext, upstream: Int, duration: Duration)
    /// A dial ended without success: once per dial, not per address. `detail` is for the log.
    func dialFailed(_ context: StreamContext, upstream: Int, reason: DialFailure, detail: SystemError?)
    /// A timer fired.
    func timedOut(_ context: StreamContext, kind: TimeoutKind)
    /// Reading `direction` was held back.
    func paused(_ context: StreamContext, direction: Direction, cause: PauseCause)
    /// Bytes that were read can no longer be delivered.
    func discarded(_ context: StreamContext, direction: Direction, byteCount: Int)
    /// A TCP connection ended that was not rejected. Nothing else follows.
    func connectionClosed(_ context: StreamContext, reason: ConnectionCloseReason, totals: FlowTotals)

    /// Datagrams were handed to the kernel on their way.
    func forwarded(_ context: StreamContext, direction: Direction, datagrams: Int, byteCount: Int)
    /// Datagrams were not forwarded. `context` is nil where they belong to no session.
    func dropped(_ context: StreamContext?, direction: Direction, reason: DropReason, datagrams: Int, worker: Int)
    /// The network reported an error for a session's upstream.
    func upstreamFailed(_ context: StreamContext, upstream: Int, reason: UpstreamErrorReason)
    /// A session leaves an upstream that was reached, which refused what it was sent and never answered, for another one:
    /// ``dialed(_:upstream:duration:)`` follows.
    func upstreamLeft(_ context: StreamContext, upstream: Int)
    /// A UDP session ended that was not rejected. Nothing else follows.
    func sessionClosed(_ context: StreamContext, reason: SessionCloseReason, totals: FlowTotals)

    /// accept(2) failed.
    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int)
    /// The listener stopped accepting until descriptors or connections are free again.
    func acceptPaused(worker: Int)
    /// An upstream's name was looked up. Not on a worker: any thread.
    func resolved(upstream: Int, succeeded: Bool)
}

extension StreamObserver {
    /// Does nothing.
    public func opened(_ context: StreamContext) {}
    /// Does nothing.
    public func proxyHeaderRead(_ context: StreamContext?, version: ProxyHeader.Version, worker: Int) {}
    /// Does nothing.
    public func proxyHeaderFailed(_ context: StreamContext?, reason: ProxyHeaderError, worker: Int) {}
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
    public func sessionClosed(_ context: StreamContext, reason: SessionCloseReason, totals: FlowTotals) {}
    /// Does nothing.
    public func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) {}
    /// Does nothing.
    public func acceptPaused(worker: Int) {}
    /// Does nothing.
    public func resolved(upstream: Int, succeeded: Bool) {}
}
