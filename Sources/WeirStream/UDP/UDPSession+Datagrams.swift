import Glibc
import LinuxIO

extension UDPSession {
    /// How long a datagram is kept for a retry at another address, from the start of the session.
    static let maxRetentionNanoseconds: UInt64 = 5_000_000_000

    // MARK: Ingress

    /// Adds a datagram of the batch that the listener has just received. ``sendBatch()`` sends it.
    func append(_ index: Int) {
        if batch.isEmpty { core.sessionsInBatch.append(self) }
        core.inboxOrder.append(index, to: &batch)
    }

    /// Sends the session's part of the batch, in order.
    func sendBatch() {
        guard !batch.isEmpty else { return }
        // After all upstreams have refused, a new datagram may try them again.
        if sawError, !hasReply, connector == nil { recover() }
        if route.hasPolicy { leaveDownUpstream() }
        var byteCount = 0
        while let index = core.inboxOrder.popFirst(of: &batch) {
            let datagram = core.inbox.datagram(at: index)
            if unsafe take(datagram.bytes) { unsafe byteCount += datagram.bytes.count }
        }
        let count = core.outbox.count
        if count > 0 {
            noteIngress()
            if askOnRead(.ingress, count, byteCount) { flush(count) }
            core.outbox.removeAll()
        }
        recover()
    }

    /// Adds a datagram of the client to the worker's outbox and returns true, or queues or drops it.
    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        noteClientBytes(bytes.count)
        guard phase == .closed || passesPolice(.ingress, bytes.count) else { return false }
        switch phase {
        case .closed:
            drop(.ingress, .error, 1)
            return false
        case .preparing:
            if unsafe !keep(bytes) { drop(.ingress, .queueFull, 1) }
            return false
        case .open:
            // Until an upstream has answered, others may be tried: keep the datagram for them.
            if !hasReply, connector != nil, core.loop.now - openedAt < Self.maxRetentionNanoseconds {
                _ = unsafe keep(bytes)
            }
            unsafe core.outbox.add(bytes)
            return true
        }
    }

    /// Calls the police hook, if any, and counts a datagram that it refuses.
    private func passesPolice(_ direction: Direction, _ byteCount: Int) -> Bool {
        guard let police = route.hooks.policeDatagram, !police(context, direction, byteCount) else { return true }
        drop(direction, .bandwidth, 1)
        return false
    }

    /// Queues a copy of a datagram. Returns false where the queue of the session, or of the worker, is full.
    private func keep(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let before = queue.byteCount
        guard core.queuedDatagramBytes + bytes.count <= WorkerCore.maxQueuedDatagramBytes,
            unsafe queue.append(bytes, headroom: queueHeadroom)
        else { return false }
        core.queuedDatagramBytes += queue.byteCount - before
        return true
    }

    func forgetQueue() {
        core.queuedDatagramBytes -= queue.byteCount
        queue.removeAll()
    }

    private func noteIngress() {
        let now = core.loop.now
        lastActivity = now
        if !queue.isEmpty, now - openedAt >= Self.maxRetentionNanoseconds { forgetQueue() }
        if egressDatagrams > 0, !isAssured {
            isAssured = true
            listener.owner.assure(self)
        }
        let waitingSince = unansweredSince ?? now
        unansweredSince = waitingSince
        noteSilence(since: waitingSince)
        leaveStaleAddress(waitingSince: waitingSince)
        leaveOwnAddress(waitingSince: waitingSince)
    }

    /// Calls the `onRead` hook, if any, and counts datagrams that it does not forward. Returns whether to forward them.
    private func askOnRead(_ direction: Direction, _ count: Int, _ byteCount: Int) -> Bool {
        if direction == .ingress ? isThrottled.ingress : isThrottled.egress {
            drop(direction, .bandwidth, count)
            return false
        }
        guard let onRead = route.hooks.onRead else { return true }
        switch onRead(ReadEvent(context: context, direction: direction, byteCount: byteCount, readCount: count)) {
        case .forward: return true
        case .pause(let time):
            if direction == .ingress { isThrottled.ingress = true } else { isThrottled.egress = true }
            let tag = direction == .ingress ? TimerTag.ingressPause : TimerTag.egressPause
            _ = core.loop.schedule(afterNanoseconds: time.clampedNanoseconds, token: token.with(tag: tag))
            route.observer?.paused(context, direction: direction, cause: .throttle)
            return true
        case .close:
            route.observer?.discarded(context, direction: direction, byteCount: byteCount)
            drop(direction, .error, count)
            end(.hook)
            return false
        }
    }

    /// Sends the outbox to the upstream. A send may return the ICMP error of an earlier datagram instead of sending: it
    /// is tried once more.
    private func flush(_ count: Int) {
        var first = 0
        var retried = -1
        var isConnectedAnew = false
        var headed = route.settings.relayedHeader == .each ? prependHeaders(count) : 0..<0
        while first < count {
            guard socket != nil else { return }
            if owesHeader, !headed.contains(first) {
                core.outbox.prepend(header, at: first)
                headed = first..<first + 1
            }
            // With its header the first datagram may exceed the path MTU, and the next ones do not.
            let coalesces = coalescesIngress && !owesHeader
            switch core.outbox.flush(to: socket!, from: first, coalescing: coalesces) {
            case .sent(let sent):
                owesHeader = false
                owedReplies.add(questions: sent, repliesEach: route.settings.responses)
                if !hasReply { listener.owner.shared.answers.noteQuestions(sent) }
                countForwarded(.ingress, first..<first + sent, headed: headed)
                first += sent
            case .wouldBlock:
                drop(.ingress, .sendBuffer, count - first)
                return
            case .lost:
                drop(.ingress, .sendBuffer, 1)
                first += 1
            case .failed(let error) where coalesces && Self.forbidsCoalescing(error):
                coalescesIngress = false
            case .failed(let error):
                let isReported = noteErrors() > 0
                if !isReported, !isConnectedAnew, error.code != EMSGSIZE, isOwnAddressGone {
                    isConnectedAnew = true
                    if connectAnew() { continue }
                    drop(.ingress, .addressUnavailable, count - first)
                    return
                }
                if retried == first {
                    if error.code == EMSGSIZE { upstreamFailed(.tooBig) }
                    drop(.ingress, error.code == EMSGSIZE ? .tooLarge : .error, 1)
                    first += 1
                } else {
                    // The error may be that of an earlier datagram (ICMP), which this send has consumed: try again.
                    retried = first
                    // Or the local kernel has no route to the address.
                    if !isReported, error.code != EMSGSIZE, let reason = UpstreamErrorReason(error) {
                        upstreamFailed(reason)
                    }
                }
            }
        }
    }

    /// Whether an error means that datagrams cannot be sent as one (`UDP_SEGMENT`, udp(7)): each exceeds the path MTU
    /// (EINVAL, in newer kernels EMSGSIZE), or the device cannot compute their checksums (EIO).
    private static func forbidsCoalescing(_ error: SystemError) -> Bool {
        error.code == EINVAL || error.code == EMSGSIZE || error.code == EIO
    }

    /// Sends the queued datagrams, or those that an earlier address lost, to the present address.
    func sendQueue() {
        guard !queue.isEmpty else { return }
        let waiting = queue
        if hasReply || connector == nil { forgetQueue() }
        lastActivity = core.loop.now
        if unansweredSince == nil { unansweredSince = core.loop.now }
        for (index, datagram) in waiting.datagrams.enumerated() {
            guard phase == .open else {
                drop(.ingress, .error, waiting.count - index)
                return
            }
            guard askOnRead(.ingress, 1, datagram.count - queueHeadroom) else { continue }
            unsafe DatagramQueue.withBytes(of: datagram, headroom: queueHeadroom) { unsafe sendAlone($0) }
        }
        recover()
    }

    /// Sends one datagram that belongs to no batch.
    private func sendAlone(_ bytes: UnsafeRawBufferPointer) {
        unsafe core.outbox.add(bytes)
        flush(1)
        core.outbox.removeAll()
    }

    // MARK: Egress

    func descriptorReady(_ events: EventSet, tag: Int) {
        core.moderation.datagramsArrived()
        if events.contains(.error) { takeErrors() }
        receiveReplies()
        receiveFromTrial()
    }

    /// Continues after a lookup has ended, or after the limits of a turn were reached.
    func deferred(tag: Int) {
        nameAnswered()
        guard phase == .open else { return }
        takeErrors()
        receiveReplies()
        receiveFromTrial()
    }

    /// Forwards the replies that wait in the socket. The worker's inbox must be empty.
    func receiveReplies() {
        for _ in 0..<WorkerCore.batchesPerTurn {
            guard phase == .open, socket != nil else { return }
            switch core.inbox.receive(from: socket!, isConnected: true) {
            case .received(let count):
                core.moderation.received(count, .egress)
                reply(count)
                if count > 1 { checkKernelDropsSoon() }
                // Edge-triggered: only after a full batch may more datagrams wait.
                if count < core.inbox.capacity { return endIfAnswered() }
            case .wouldBlock: return endIfAnswered()
            case .failed:
                takeErrors()
            }
        }
        core.loop.defer(token)
    }

    /// Forwards a batch of the upstream's datagrams.
    func reply(_ received: Int) {
        let owed = owedReplies.pay(received)
        let count = route.settings.responses == nil ? received : owed
        if count < received { drop(.egress, .responses, received - count) }
        if count == 0 { return }
        lastActivity = core.loop.now
        // Of a name with several addresses: others need not leave this one.
        if unansweredSince != nil, let name = trial.name, let upstreamAddress {
            name.answers.answered(upstreamAddress, now: lastActivity)
        }
        if hasReply { noteLaterAnswer() } else { firstReply() }
        unansweredSince = nil
        var added = 0
        var byteCount = 0
        var amplified = 0
        for index in 0..<count {
            let datagram = core.inbox.datagram(at: index)
            if datagram.isTruncated {
                drop(.egress, .truncated, 1)
                continue
            }
            guard allowsReply(unsafe datagram.bytes.count) else {
                amplified += 1
                continue
            }
            guard passesPolice(.egress, unsafe datagram.bytes.count) else { continue }
            noteReply(unsafe datagram.bytes.count)
            unsafe core.outbox.add(datagram.bytes)
            unsafe byteCount += datagram.bytes.count
            added += 1
        }
        defer { core.outbox.removeAll() }
        if amplified > 0 { drop(.egress, .amplification, amplified) }
        guard added > 0, askOnRead(.egress, added, byteCount) else { return }
        core.outbox.setDestination(
            key.peer, from: listener.bound.isWildcard ? (key.localIP, key.scope) : nil,
            family: listener.bound.family)
        flushReplies(added)
    }

    private func firstReply() {
        hasReply = true
        lastNotedAnswer = lastActivity
        listener.owner.shared.answers.noteAnswer()
        forgetQueue()
        cancelDial()
        endTrial()
        guard let member, let upstreamAddress else { return }
        route.selector.answered(member, now: core.loop.clockTime)
        guard let state = route.state(of: member) else { return }
        state.prefer(upstreamAddress)
        state.returnedDials.noteServer()
    }

    private func flushReplies(_ count: Int) {
        var first = 0
        while first < count {
            guard listener.socket != nil else { return }
            switch core.outbox.flush(to: listener.socket!, from: first, coalescing: coalescesEgress) {
            case .sent(let sent):
                countForwarded(.egress, first..<first + sent)
                first += sent
            case .wouldBlock:
                drop(.egress, .sendBuffer, count - first)
                return
            case .lost:
                drop(.egress, .sendBuffer, 1)
                first += 1
            case .failed(let error) where coalescesEgress && Self.forbidsCoalescing(error):
                coalescesEgress = false
            case .failed(let error):
                drop(.egress, error.code == EMSGSIZE ? .tooLarge : .error, 1)
                first += 1
            }
        }
    }

    // MARK: Counting

    /// Counts forwarded datagrams. The bytes of the headers, which those in `headed` have, are not counted.
    private func countForwarded(_ direction: Direction, _ range: Range<Int>, headed: Range<Int> = 0..<0) {
        var bytes = 0
        for index in range { bytes += core.outbox.length(at: index) }
        if !headed.isEmpty { bytes -= range.clamped(to: headed).count * header.count }
        if direction == .ingress {
            ingressDatagrams += UInt64(range.count)
            ingressBytes += UInt64(bytes)
        } else {
            egressDatagrams += UInt64(range.count)
            egressBytes += UInt64(bytes)
        }
        route.observer?.forwarded(context, direction: direction, datagrams: range.count, byteCount: bytes)
    }

    func drop(_ direction: Direction, _ reason: DropReason, _ count: Int) {
        route.observer?.dropped(
            context, direction: direction, reason: reason, datagrams: count, worker: core.index)
    }
}
