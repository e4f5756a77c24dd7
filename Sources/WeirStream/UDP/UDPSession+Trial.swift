import LinuxIO
import NetworkTypes

/// The trial of another address of an upstream's name, beside the socket of a session that waits for its first answer.
struct AddressTrial: ~Copyable {
    /// Connected to ``address``; nil while no trial is under way.
    var socket: Socket?
    var address: SocketAddress?
    /// The kept datagrams that were sent to the address.
    var sentCount = 0
    /// The addresses that the session has tried so far.
    var triedCount = 0
    /// The name, where it has several addresses.
    var name: UpstreamState?
    var timer = TimerWheel.Identifier.none
}

// Of the addresses of a name the first may swallow datagrams. A session whose first questions stay unanswered sends
// copies of them to the next address, by a second socket, and then to the one after it. The address that answers first
// is that of the session from then on, and the first choice of the name (``AnswerMemory``). Until then everything goes
// to the first address as well: traffic that needs no answer loses nothing.
extension UDPSession {
    /// The time without an answer after which the next address is tried.
    private static let trialDelayNanoseconds: UInt64 = 1_000_000_000
    /// The delay of a trial for which there is no room now.
    private static let retryDelayNanoseconds: UInt64 = 250_000_000

    /// Begins to wait for the first answer, where the upstream's name has several addresses.
    func watchForSilence() {
        endTrial()
        trial.name = nil
        trial.triedCount = 0
        guard !hasReply, let member, let state = route.state(of: member), state.hasSeveralAddresses else { return }
        trial.name = state
        scheduleTrial(after: Self.trialDelayNanoseconds)
    }

    private func scheduleTrial(after delay: UInt64) {
        core.loop.cancel(&trial.timer)
        trial.timer = core.loop.schedule(afterNanoseconds: delay, token: token.with(tag: TimerTag.trial))
    }

    /// Ends the trial that is under way, if any, and its timer.
    func endTrial() {
        core.loop.cancel(&trial.timer)
        closeTrial()
    }

    private func closeTrial() {
        guard trial.address != nil else { return }
        trial.socket.take()?.close()
        trialIsOver()
    }

    private func trialIsOver() {
        trial.address = nil
        trial.sentCount = 0
        trial.name?.answers.trialEnded()
        core.budget.releaseSession()
    }

    /// Tries the next address. The worker's outbox must be empty.
    func tryNextAddress() {
        closeTrial()
        let now = core.loop.now
        guard phase == .open, !hasReply, let name = trial.name, let upstreamAddress,
            now - openedAt < Self.maxRetentionNanoseconds
        else { return }
        guard !queue.isEmpty, !name.answers.isAlive(upstreamAddress, now: now) else {
            return scheduleTrial(after: Self.trialDelayNanoseconds)
        }
        guard case .addresses(let all) = name.answer else { return }
        let others = core.ownListeners.withoutLoops(.udp, route.settings.reachable(all)).filter {
            $0 != upstreamAddress
        }
        guard trial.triedCount < others.count else { return name.answers.triedInVain(now: now) }
        let address = others[trial.triedCount]
        guard name.answers.beginTrial(of: address, now: now) else {
            return scheduleTrial(after: Self.retryDelayNanoseconds)
        }
        trial.triedCount += 1
        scheduleTrial(after: Self.trialDelayNanoseconds)
        // A second descriptor and local port, only while there is room.
        guard core.budget.acquireSession() else { return name.answers.trialEnded() }
        guard let new = try? UDPDialer.connect(to: address, route.settings, loop: core.loop, token: token) else {
            name.answers.trialEnded()
            return core.budget.releaseSession()
        }
        trial.socket = consume new
        trial.address = address
        sendKept()
    }

    /// Receives what the address on trial has answered, if any. The session then goes on there.
    func receiveFromTrial() {
        guard trial.address != nil, phase == .open, !hasReply else { return }
        switch core.inbox.receive(from: trial.socket!, isConnected: true) {
        case .wouldBlock: return
        case .failed:
            // The network says that nothing is there: no need to wait.
            tryNextAddress()
        case .received(let count):
            moveToTrial()
            reply(count)
            // The rest, if any, is read like that of any session.
            receiveReplies()
        }
    }

    private func moveToTrial() {
        guard let address = trial.address, let new = trial.socket.take() else { return }
        let sentCount = trial.sentCount
        trialIsOver()
        if let member, trial.name?.answers.address != address {
            listener.owner.shared.share(
                answering: address, of: route.index(of: member), generation: route.generation, from: core.index)
        }
        let owed = owedReplies
        adopt(new, at: address)
        // It has got the same datagrams as the first address, with the header: it owes as many replies.
        owedReplies = owed
        owesHeader = false
        route.observer?.moved(context, reason: .unanswered)
        trial.sentCount = sentCount
        sendKept()
        trial.sentCount = 0
    }

    /// Sends copies of the kept datagrams that the address on trial, or the session's own, has not got yet. They are
    /// not counted: each was counted when it went to the first address.
    private func sendKept() {
        for datagram in queue.datagrams.dropFirst(trial.sentCount) {
            unsafe DatagramQueue.withBytes(of: datagram, headroom: queueHeadroom) { unsafe sendCopy($0) }
            trial.sentCount += 1
        }
    }

    private func sendCopy(_ bytes: UnsafeRawBufferPointer) {
        unsafe core.outbox.add(bytes)
        if route.settings.relayedHeader == .each || route.settings.relayedHeader == .first && trial.sentCount == 0 {
            core.outbox.prepend(header, at: 0)
        }
        // A copy that is lost is one that the client would have to repeat anyway.
        if trial.address != nil {
            _ = core.outbox.flush(to: trial.socket!, from: 0, coalescing: false)
        } else {
            _ = core.outbox.flush(to: socket!, from: 0, coalescing: false)
        }
        core.outbox.removeAll()
    }
}
