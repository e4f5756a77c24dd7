import LinuxIO

/// The two directions between a client and an upstream, and both endpoints. Pure bookkeeping over sockets: it moves bytes
/// and says how that went; the owner keeps phases and timers, and ends the connection. Confined to the worker.
struct Relay: ~Copyable {
    /// An end of the connection.
    enum Party: Sendable {
        case client, upstream
    }

    /// A break of one endpoint, while the other one is still owed what came before it.
    struct Break: Sendable, Equatable {
        /// The endpoint that broke first.
        let party: Party
        let error: SystemError
        /// Whether the other endpoint has all that the broken one sent, acknowledged by its kernel as far as that can be
        /// known. A reset throws away what the kernel has not delivered yet, so it must wait for this.
        let isFlushed: Bool
        /// Whether the budget of this turn is spent: to be advanced again in the next one.
        let isYielded: Bool
    }

    /// The outcome of ``advance(now:resources:owner:)``.
    enum Outcome: Sendable, Equatable {
        /// Nothing more moves before an event, or before a pause ends.
        case waiting
        /// The budget of this turn is spent: to be advanced again in the next one.
        case yielded
        /// The first direction has ended, and its end was or will be passed on; the other one goes on. Reported once: to be
        /// advanced again at once.
        case halfClosed(Direction)
        /// Both directions have ended well, this one first, and everything was passed on.
        case closed(first: Direction)
        /// An endpoint broke. Reported until the owner ends the connection.
        case broken(Break)
        /// A hook ends the connection; this many bytes of that direction were read and not passed on.
        case stopped(Direction, discarded: Int)
    }

    var client: RelayEndpoint
    var upstream = RelayEndpoint()
    /// The first break names the reason, whatever follows.
    private var firstBreak: (party: Party, error: SystemError)?
    private var firstEnd: Direction?
    private var isHalfCloseReported = false
    private var ingress = RelayDirection(.ingress)
    private var egress = RelayDirection(.egress)
    /// The coarse time of the last byte moved, in nanoseconds.
    private(set) var lastActivity: UInt64

    /// A relay whose upstream is not connected yet.
    init(client: consuming RelayEndpoint, now: UInt64) {
        self.client = client
        lastActivity = now
    }

    // MARK: State

    var ingressByteCount: UInt64 { ingress.byteCount }
    var egressByteCount: UInt64 { egress.byteCount }
    /// Whether exactly one direction has ended.
    var isHalfClosed: Bool { ingress.isSourceAtEnd != egress.isSourceAtEnd }
    var isPaused: Bool { ingress.isPaused || egress.isPaused }

    /// After a break, the bytes that the other endpoint is still owed: held here, or not acknowledged by its kernel.
    var owedByteCount: Int {
        client.isBroken
            ? upstream.unacknowledgedByteCount + ingress.heldByteCount
            : client.unacknowledgedByteCount + egress.heldByteCount
    }

    /// Whether the bytes that are still owed after a break are held back by a pause of ours.
    var isOwedPaused: Bool { client.isBroken ? ingress.isPaused : egress.isPaused }

    /// Whether a hook holds them back.
    var isOwedThrottled: Bool { client.isBroken ? ingress.isThrottled : egress.isThrottled }

    /// Notes that time up to `now` was no silence of a peer.
    mutating func touch(now: UInt64) { lastActivity = now }

    /// Ends the pause of a direction. Time under a pause is not silence.
    mutating func resume(_ direction: Direction, now: UInt64) {
        if direction == .ingress { ingress.resume() } else { egress.resume() }
        lastActivity = now
    }

    /// Sends bytes of our own to the upstream, before any of the client's: what its socket does not take waits in front of
    /// them. A break is told by the next advance.
    /// - Returns: false where there is no room for what would have to wait.
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

    /// Whether all that ``sendFirst(_:resources:)`` was given is in the upstream's socket.
    var hasSentFirst: Bool { ingress.isDrained && !upstream.isBroken }

    /// Gives up an upstream that no byte of the client's has gone to: another one may take its place.
    mutating func dropUpstream(resources: RelayResources) {
        _ = ingress.discardHeld(resources)
        upstream.close(withReset: true)
        upstream = RelayEndpoint()
        firstBreak = nil
    }

    // MARK: Moving

    /// Moves what can be moved, both ways, and says what came of it.
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

    /// The outcome where an end or a break was seen.
    private mutating func outcome(
        now: UInt64, isYielded: Bool, resources: RelayResources, owner: some RelayOwner
    ) -> Outcome {
        // An endpoint that has ended, that is held back, or whose bytes nothing takes, is not read: its break must be
        // asked for.
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
            // The time for the rest begins now, however long the connection was silent before.
            lastActivity = now
            return .halfClosed(firstEnd ?? .ingress)
        }
        return isYielded ? .yielded : .waiting
    }

    /// What was on its way to the broken endpoint is lost. Returns whether the other one is owed nothing more.
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

    /// Gives everything back and closes both sockets: with RST, or with FIN after what was sent.
    mutating func close(withReset: Bool, resources: RelayResources, owner: some RelayOwner) {
        discard(.ingress, resources, owner)
        discard(.egress, resources, owner)
        client.close(withReset: withReset)
        upstream.close(withReset: withReset)
    }
}
