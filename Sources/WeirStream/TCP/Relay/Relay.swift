import LinuxIO

/// The two directions between a client and an upstream, and both endpoints. It moves bytes and returns the outcome; the
/// owner has the phases and timers, and ends the connection. Confined to the worker.
struct Relay: ~Copyable {
    /// An end of the connection.
    enum Party: Sendable {
        case client, upstream
    }

    /// The failure of one endpoint, while the other one may still be owed bytes that came before it.
    struct Break: Sendable, Equatable {
        /// The endpoint that failed first.
        let party: Party
        let error: SystemError
        /// Whether the other endpoint has all bytes of the failed one, acknowledged by its kernel as far as that is
        /// known. A reset discards the bytes that the kernel has not delivered yet, so it must wait for this.
        let isFlushed: Bool
        /// Whether the budget of this turn is spent: advance again in the next turn.
        let isYielded: Bool
    }

    /// The outcome of ``advance(now:resources:owner:)``.
    enum Outcome: Sendable, Equatable {
        /// Nothing more moves before an event, or before a pause ends.
        case waiting
        /// The budget of this turn is spent: advance again in the next turn.
        case yielded
        /// The first direction has ended, and its end was or will be forwarded; the other one continues. Reported once:
        /// advance again at once.
        case halfClosed(Direction)
        /// Both directions have ended without an error, this one first, and every byte was forwarded.
        case closed(first: Direction)
        /// An endpoint failed. Reported until the owner ends the connection.
        case broken(Break)
        /// A hook ends the connection; this many bytes of that direction were read and not forwarded.
        case stopped(Direction, discarded: Int)
    }

    var client: RelayEndpoint
    var upstream = RelayEndpoint()
    /// The first failure, which decides the close reason.
    private var firstBreak: (party: Party, error: SystemError)?
    private var firstEnd: Direction?
    private var isHalfCloseReported = false
    private var ingress = RelayDirection(.ingress)
    private var egress = RelayDirection(.egress)
    /// The coarse time of the last byte moved, in nanoseconds.
    private(set) var lastActivity: UInt64

    /// Creates a relay whose upstream is not connected yet.
    init(client: consuming RelayEndpoint, now: UInt64) {
        self.client = client
        lastActivity = now
    }

    // MARK: State

    var ingressByteCount: UInt64 { ingress.byteCount }
    var egressByteCount: UInt64 { egress.byteCount }
    /// Whether exactly one direction has ended.
    var isHalfClosed: Bool { ingress.isSourceAtEnd != egress.isSourceAtEnd }
    /// Whether the upstream has ended its stream, and did not fail.
    var hasUpstreamEnded: Bool { egress.isSourceAtEnd && !upstream.isBroken }
    var isPaused: Bool { ingress.isPaused || egress.isPaused }

    /// After a failure, the bytes that the other endpoint is still owed: held here, or not acknowledged by its kernel.
    var owedByteCount: Int {
        client.isBroken
            ? upstream.unacknowledgedByteCount + ingress.heldByteCount
            : client.unacknowledgedByteCount + egress.heldByteCount
    }

    /// Whether the direction of the owed bytes is paused.
    var isOwedPaused: Bool { client.isBroken ? ingress.isPaused : egress.isPaused }

    /// Whether a hook throttles the direction of the owed bytes.
    var isOwedThrottled: Bool { client.isBroken ? ingress.isThrottled : egress.isThrottled }

    /// Restarts the measurement of silence at `now`.
    mutating func touch(now: UInt64) { lastActivity = now }

    /// Ends the pause of a direction. A pause does not count as silence.
    mutating func resume(_ direction: Direction, now: UInt64) {
        if direction == .ingress { ingress.resume() } else { egress.resume() }
        lastActivity = now
    }

    /// Sends bytes of the relay's own to the upstream, before the client's. Bytes that the socket does not accept wait
    /// in the backlog. The next advance reports a failure.
    /// - Returns: false where the backlog has no room.
    mutating func sendFirst(_ bytes: UnsafeRawBufferPointer, resources: RelayResources) -> Bool {
        var sent = 0
        switch unsafe upstream.send(bytes, more: false) {
        case .bytes(let count): sent = count
        case .wouldBlock: break
        case .failed(let error):
            upstream.fail()
            noteBreak(.upstream, error)
            return true
        }
        guard sent < bytes.count else { return true }
        upstream.isWritable = false
        let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[sent...])
        guard resources.slabs.availableByteCount >= rest.count else { return false }
        unsafe ingress.prepend(rest, resources: resources)
        return true
    }

    /// Whether the upstream's socket has accepted all bytes of ``sendFirst(_:resources:)``.
    var hasSentFirst: Bool { ingress.isDrained && !upstream.isBroken }

    /// Closes an upstream to which no byte of the client was sent, so that another one may replace it.
    mutating func dropUpstream(resources: RelayResources) {
        _ = ingress.discardHeld(resources)
        upstream.close(withReset: true)
        upstream = RelayEndpoint()
        firstBreak = nil
    }

    // MARK: Moving

    /// Moves bytes in both directions as far as the sockets allow, and returns the outcome.
    mutating func advance(now: UInt64, resources: RelayResources, owner: some RelayOwner) -> Outcome {
        var turn = RelayTurn(isAsked: ingress.byteCount > 0)
        var isYielded = false
        if ingress.hasWork(from: client, to: upstream) {
            switch ingress.advance(
                from: &client, to: &upstream, isLast: egress.isFinished, turn: &turn, resources: resources,
                owner: owner)
            {
            case .waiting: break
            case .yielded: isYielded = true
            case .sourceBroke(let error): noteBreak(.client, error)
            case .sinkBroke(let error): noteBreak(.upstream, error)
            case .stopped(let count): return .stopped(.ingress, discarded: count)
            }
            if firstEnd == nil, ingress.isSourceAtEnd { firstEnd = .ingress }
        }
        if egress.hasWork(from: upstream, to: client) {
            switch egress.advance(
                from: &upstream, to: &client, isLast: ingress.isFinished, turn: &turn, resources: resources,
                owner: owner)
            {
            case .waiting: break
            case .yielded: isYielded = true
            case .sourceBroke(let error): noteBreak(.upstream, error)
            case .sinkBroke(let error): noteBreak(.client, error)
            case .stopped(let count): return .stopped(.egress, discarded: count)
            }
            if firstEnd == nil, egress.isSourceAtEnd { firstEnd = .egress }
        }
        if turn.hasActivity { lastActivity = now }
        if firstEnd == nil, firstBreak == nil, !client.hasError, !upstream.hasError {
            return isYielded ? .yielded : .waiting
        }
        return outcome(now: now, isYielded: isYielded, resources: resources, owner: owner)
    }

    /// Returns the outcome after an end or a failure.
    private mutating func outcome(
        now: UInt64, isYielded: Bool, resources: RelayResources, owner: some RelayOwner
    ) -> Outcome {
        // An endpoint that has ended, is paused, or whose bytes the sink does not accept, is not read: query its error.
        if client.hasError, ingress.isUnread, let error = client.takeReportedError() {
            client.fail()
            noteBreak(.client, error)
        }
        if upstream.hasError, egress.isUnread, let error = upstream.takeReportedError() {
            upstream.fail()
            noteBreak(.upstream, error)
        }
        if let firstBreak {
            return .broken(
                Break(
                    party: firstBreak.party, error: firstBreak.error,
                    isFlushed: discardUndeliverable(resources, owner: owner), isYielded: isYielded))
        }
        if ingress.isFinished, egress.isFinished {
            if !client.hasPendingOutput, !upstream.hasPendingOutput { return .closed(first: firstEnd ?? .ingress) }
        } else if isHalfClosed, !isHalfCloseReported {
            isHalfCloseReported = true
            // The half-close timeout starts here: a FIN counts as activity.
            lastActivity = now
            return .halfClosed(firstEnd ?? .ingress)
        }
        return isYielded ? .yielded : .waiting
    }

    /// Discards the bytes for the failed endpoint. Returns whether the other one has received all bytes that it is
    /// owed.
    private mutating func discardUndeliverable(_ resources: RelayResources, owner: some RelayOwner) -> Bool {
        if client.isBroken, upstream.isBroken { return true }
        if client.isBroken {
            discard(.egress, resources, owner)
            return ingress.isSourceAtEnd && ingress.isDrained && upstream.unacknowledgedByteCount == 0
        }
        discard(.ingress, resources, owner)
        return egress.isSourceAtEnd && egress.isDrained && client.unacknowledgedByteCount == 0
    }

    private mutating func discard(_ direction: Direction, _ resources: RelayResources, _ owner: some RelayOwner) {
        let count = direction == .ingress ? ingress.discardHeld(resources) : egress.discardHeld(resources)
        if count > 0 { owner.relayDiscarded(count, direction) }
    }

    private mutating func noteBreak(_ party: Party, _ error: SystemError) {
        if firstBreak == nil { firstBreak = (party, error) }
    }

    // MARK: Ending

    /// Releases all resources and closes both sockets: with RST, or with FIN after the sent bytes.
    mutating func close(withReset: Bool, resources: RelayResources, owner: some RelayOwner) {
        discard(.ingress, resources, owner)
        discard(.egress, resources, owner)
        client.close(withReset: withReset)
        upstream.close(withReset: withReset)
    }
}
