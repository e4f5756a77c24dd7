import Glibc
import LinuxIO

extension UDPSession {
    /// For so long what a client sent is kept for another address, in nanoseconds; later it would be old news.
    private static let memory: UInt64 = 5_000_000_000

    // MARK: Ingress

    /// Takes a datagram of the batch that the listener has just received; it leaves with ``sendBatch()``.
    func append(_ index: Int) {
        if batch.isEmpty { core.sessionsInBatch.append(self) }
        core.inboxOrder.append(index, to: &batch)
    }

    /// Sends this session's part of the batch, in order.
    func sendBatch() {
        guard !batch.isEmpty else { return }
        // What comes after all upstreams have refused begins with another one, if it is time for that.
        if sawError, !hasReply, connector == nil { recover() }
        var byteCount = 0
        while let index = core.inboxOrder.popFirst(of: &batch) {
            let datagram = core.inbox.datagram(at: index)
            if unsafe take(datagram.bytes) { unsafe byteCount += datagram.bytes.count }
        }
        let count = core.outbox.count
        if count > 0 {
            noteIngress()
            if mayForward(.ingress, count, byteCount) { flush(count) }
            core.outbox.removeAll()
        }
        recover()
    }

    /// Puts a datagram of the client's where it belongs now. True where that is the worker's outbox.
    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard phase == .closed || mayPass(.ingress, bytes.count) else { return false }
        switch phase {
        case .closed:
            drop(.ingress, .error, 1)
            return false
        case .preparing:
            if unsafe !keep(bytes) { drop(.ingress, .queueFull, 1) }
            return false
        case .open:
            // Until an upstream has answered, others may be tried: keep what they would need to see.
            if !hasReply, connector != nil, core.loop.now - openedAt < Self.memory { _ = unsafe keep(bytes) }
            unsafe core.outbox.add(bytes)
            return true
        }
    }

    /// Asks the hook that polices, if there is one, and counts what it refuses.
    private func mayPass(_ direction: Direction, _ byteCount: Int) -> Bool {
        guard let police = route.hooks.police, !police(context, direction, byteCount) else { return true }
        drop(direction, .bandwidth, 1)
        return false
    }

    /// Copies a datagram for later, where the session and the worker have room.
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
        if !queue.isEmpty, now - openedAt >= Self.memory { forgetQueue() }
        if hasReply, !isAssured {
            isAssured = true
            listener.owner.assure(self)
        }
        let waitingSince = unansweredSince ?? now
        unansweredSince = waitingSince
        leaveStaleAddress(waitingSince: waitingSince)
    }

    /// Asks the hook; what it does not want forwarded is counted here.
    private func mayForward(_ direction: Direction, _ count: Int, _ byteCount: Int) -> Bool {
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

    /// Sends the outbox to the upstream. An error of an earlier datagram (ICMP) comes up at a later send, which it
    /// consumes: that one is tried once more.
    private func flush(_ count: Int) {
        var first = 0
        var retried = -1
        var headed = route.settings.relayedHeader == .each ? prependHeaders(count) : 0..<0
        while first < count {
            guard socket != nil else { return }
            if owesHeader, !headed.contains(first) {
                core.outbox.prepend(header, at: first)
                headed = first..<first + 1
            }
            // With its header the first one may be longer than the path takes in one piece, and those behind it are not.
            let coalesces = coalescesIngress && !owesHeader
            switch core.outbox.flush(to: socket!, from: first, coalescing: coalesces) {
            case .sent(let sent):
                owesHeader = false
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
                let isTold = noteErrors() > 0
                if retried == first {
                    if error.code == EMSGSIZE { upstreamFailed(.tooBig) }
                    drop(.ingress, error.code == EMSGSIZE ? .tooLarge : .error, 1)
                    first += 1
                } else {
                    // Perhaps the answer to an earlier one (ICMP), which this took away: once more.
                    retried = first
                    // Or our own kernel knows no way there.
                    if !isTold, error.code != EMSGSIZE, let reason = UpstreamErrorReason(error) {
                        upstreamFailed(reason)
                    }
                }
            }
        }
    }

    /// The path takes no run of datagrams as one, because each is longer than its packets (EINVAL, in newer kernels EMSGSIZE)
    /// or cannot be checksummed on the way (EIO): from now on this session sends them one by one (udp(7)).
    private static func forbidsCoalescing(_ error: SystemError) -> Bool {
        error.code == EINVAL || error.code == EMSGSIZE || error.code == EIO
    }

    /// Sends what waited, or what a dead address swallowed, towards the address that the session has now.
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
            guard mayForward(.ingress, 1, datagram.count - queueHeadroom) else { continue }
            if queueHeadroom == 0 {
                unsafe datagram.withUnsafeBytes { unsafe sendAlone($0) }
            } else {
                // A header is written in front of it, so it must be ours alone.
                var datagram = datagram
                unsafe datagram.withUnsafeMutableBytes { bytes in
                    unsafe sendAlone(UnsafeRawBufferPointer(rebasing: bytes[queueHeadroom...]))
                }
            }
        }
        recover()
    }

    /// Sends one datagram that is in no batch.
    private func sendAlone(_ bytes: UnsafeRawBufferPointer) {
        unsafe core.outbox.add(bytes)
        flush(1)
        core.outbox.removeAll()
    }

    // MARK: Egress

    func descriptorReady(_ events: EventSet, tag: Int) {
        if events.contains(.error) { takeErrors() }
        receiveReplies()
    }

    /// The name of the upstream has an answer, or there was more to take than one turn may.
    func deferred(tag: Int) {
        nameAnswered()
        guard phase == .open else { return }
        takeErrors()
        receiveReplies()
    }

    private func receiveReplies() {
        for _ in 0..<WorkerCore.batchesPerTurn {
            guard phase == .open, socket != nil else { return }
            switch core.inbox.receive(from: socket!, isConnected: true) {
            case .received(let count):
                reply(count)
                // Edge-triggered: a full batch may have left some behind, a short one has not.
                if count < core.inbox.capacity { return }
            case .wouldBlock: return
            case .failed:
                takeErrors()
            }
        }
        core.loop.defer(token)
    }

    private func reply(_ count: Int) {
        lastActivity = core.loop.now
        unansweredSince = nil
        if !hasReply { firstReply() }
        var added = 0
        var byteCount = 0
        for index in 0..<count {
            let datagram = core.inbox.datagram(at: index)
            if datagram.isTruncated {
                drop(.egress, .truncated, 1)
                continue
            }
            guard mayPass(.egress, unsafe datagram.bytes.count) else { continue }
            unsafe core.outbox.add(datagram.bytes)
            unsafe byteCount += datagram.bytes.count
            added += 1
        }
        defer { core.outbox.removeAll() }
        guard added > 0, mayForward(.egress, added, byteCount) else { return }
        core.outbox.setDestination(
            key.peer, from: listener.bound.isWildcard ? (key.localIP, key.scope) : nil,
            family: listener.bound.family)
        flushReplies(added)
        if let expected = route.settings.responses, egressDatagrams >= UInt64(expected) { end(.responses) }
    }

    private func firstReply() {
        hasReply = true
        forgetQueue()
        cancelDial()
        guard let member, let upstreamAddress else { return }
        route.state(of: member)?.prefer(upstreamAddress)
        route.selector.answered(member)
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

    /// Headers, which those in `headed` have, are none of the client's bytes.
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
