import LinuxIO
import NetworkTypes
import Threading

/// A client of a shared listener from the accept until its first bytes have chosen a route. It reads a PROXY header
/// where one is required, then runs the matcher.
///
/// The bytes are peeked and stay in the socket, so that a slow client occupies no buffer; only those that the matcher
/// answers are read. Confined to the worker.
final class UndecidedClient: EventHandler, UndecidedMember {
    private enum Phase {
        case awaitingHeader, awaitingBytes, over
    }

    // Exclusivity is not checked at run time on the fields of every client: one thread owns it, and no access spans a
    // call that reaches the same field again.
    @safe @exclusivity(unchecked) var position = UndecidedPosition()
    private let plan: ListenerPlan
    private let gate: ListenerGate
    private let listener: TCPListener
    @safe @exclusivity(unchecked) private var client: AcceptedClient
    @safe @exclusivity(unchecked) private var phase: Phase
    @safe @exclusivity(unchecked) private var timer = TimerWheel.Identifier.none
    /// The bytes that must wait before the kernel reports them (`SO_RCVLOWAT`, socket(7)).
    private var lowWater = 1
    /// The stage of the matcher, and the answers that led to it.
    private var stage = 0
    private var answerCount = 0
    /// Whether a new client gets its slot among the undecided ones.
    private var isReplaced = false

    private var core: WorkerCore { gate.core }

    init(
        _ client: consuming AcceptedClient, awaitsHeader: Bool, plan: ListenerPlan, gate: ListenerGate,
        listener: TCPListener
    ) {
        self.client = client
        self.plan = plan
        self.gate = gate
        self.listener = listener
        phase = awaitsHeader ? .awaitingHeader : .awaitingBytes
    }

    /// Registers the socket, for all events that a route needs. Bytes that have arrived are inspected in the next turn:
    /// those of most clients have not yet. The client may have ended when this returns.
    func start() {
        guard let number = client.endpoint.withSocket({ $0.number }) else { return }
        let token = core.loop.insert(self)
        client.registration = token
        do {
            try core.loop.add(number, .relay, token: token)
            armTimer()
        } catch {
            fail(.error)
        }
    }

    private func armTimer() {
        guard let token = client.registration else { return }
        let limit = phase == .awaitingHeader ? plan.settings.proxyHeaderTimeout : plan.settings.helloTimeout
        core.loop.cancel(&timer)
        timer = core.loop.schedule(afterNanoseconds: limit.clampedNanoseconds, token: token)
    }

    // MARK: Events

    func descriptorReady(_ events: EventSet, tag: Int) {
        // A Unix client that closes its socket hangs up: what it sent before may still choose a route.
        if events.contains(.error) || events.contains(.hangup) && !client.address.isUnix {
            fail(.closed)
            return
        }
        client.endpoint.note(events)
        if client.endpoint.isReadable { look() }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        timer = .none
        guard phase == .awaitingHeader else {
            fail(.timeout)
            return
        }
        let excerpt = unsafe client.endpoint.headerExcerpt(buffer: core.relayResources.buffer)
        refuseHeader(.timeout, excerpt)
    }

    func deferred(tag: Int) {}

    // MARK: Looking

    private func look() {
        if phase == .awaitingHeader { lookForHeader() }
        if phase == .awaitingBytes { lookForMatch() }
    }

    /// Peeks once per arrival (edge-triggered). The header is read from the socket only when it is complete.
    private func lookForHeader() {
        switch unsafe client.endpoint.receiveProxyHeader(buffer: core.relayResources.buffer) {
        case .waiting: break
        case .complete(let header): adopt(header)
        case .refused(let reason, let excerpt): refuseHeader(reason, excerpt)
        case .unused, .broken: fail(.closed)
        }
    }

    private func adopt(_ header: ProxyHeader) {
        client.header = header
        plan.hooks.observer?.proxyHeaderRead(version: header.version, worker: core.index)
        if let reason = gate.admit(&client, plan) {
            fail(reason)
            return
        }
        phase = .awaitingBytes
        if plan.matcher == nil { decide(RouteChoice(index: 0)) } else { armTimer() }
    }

    private func refuseHeader(_ reason: ProxyHeaderError, _ excerpt: ProxyHeaderExcerpt) {
        plan.hooks.observer?.proxyHeaderFailed(reason: reason, excerpt: excerpt, worker: core.index)
        fail(.proxyProtocol)
    }

    private func lookForMatch() {
        guard let matcher = plan.matcher else { return }
        let buffer = unsafe UnsafeMutableRawBufferPointer(
            rebasing: core.relayResources.buffer[..<FirstBytesTable.maxBytes])
        switch unsafe client.endpoint.receiveCopy(into: buffer) {
        case .bytes(let count):
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
            var name: [UInt8]?
            switch unsafe matcher.match(
                bytes.span, isEnd: client.endpoint.sawEnd, stage: stage, serverName: &name)
            {
            case .route(let index, by: let result, preface: let preface):
                decide(RouteChoice(index: index, result: result, preface: preface, serverName: name))
            case .answer(let answer): send(answer, having: count)
            case .none(let mismatch): fail(ListenerFailure(mismatch), serverName: name)
            case .needsMore(let wanted): waitForMore(wanted, having: count)
            }
        case .wouldBlock: client.endpoint.isReadable = false
        case .endOfStream, .failed: fail(.closed)
        }
    }

    /// Waits for more bytes. The kernel reports them when as many wait as the matcher needs, so that a client which
    /// sends single bytes costs no more than another.
    private func waitForMore(_ wanted: Int, having count: Int) {
        if count >= FirstBytesTable.maxBytes {
            fail(.tooLong)
        } else if client.endpoint.sawEnd {
            fail(.closed)
        } else {
            setLowWater(min(max(wanted, count + 1), FirstBytesTable.maxBytes))
        }
    }

    /// Reads the bytes that the answer is for, sends it, and looks for what has followed meanwhile.
    private func send(_ answer: FirstBytesAnswer, having count: Int) {
        guard answerCount < FirstBytesAnswer.maxCount, 1...count ~= answer.consumedByteCount else {
            fail(.error)
            return
        }
        answerCount += 1
        stage = answer.stage
        client.endpoint.discard(answer.consumedByteCount)
        switch unsafe answer.bytes.withUnsafeBytes({ unsafe client.endpoint.send($0, more: false) }) {
        case .bytes(let sent) where sent == answer.bytes.count:
            setLowWater(1)
            lookForMatch()
        case .bytes, .wouldBlock: fail(.error)
        case .failed: fail(.closed)
        }
    }

    private func setLowWater(_ bytes: Int) {
        guard bytes != lowWater else { return }
        lowWater = bytes
        // Best effort: without it the client is inspected at each arrival, which is only slower.
        client.endpoint.withSocket { $0.setIfPossible(.receiveLowWater, bytes) }
    }

    // MARK: Ending

    private func decide(_ choice: RouteChoice) {
        setLowWater(1)
        guard leave() else { return }
        gate.decide(client.take(), choice, by: listener, plan)
        listener.clientEnded()
    }

    /// Ends the wait now: the client goes to the route that its bytes choose, or is reset. Its slot among the undecided
    /// ones goes to a new client.
    func giveWay() {
        isReplaced = true
        look()
        fail(.overflow)
    }

    /// Resets the client, once. `serverName` is that of its hello, where it has sent one.
    func fail(_ reason: ListenerFailure, serverName: [UInt8]? = nil) {
        guard leave() else { return }
        var client = client.take()
        if let token = client.registration { core.loop.remove(token) }
        client.endpoint.close(withReset: true)
        plan.hooks.observer?.failed(
            reason, client: client.clientAddress, serverName: serverName, worker: core.index)
        core.connectionGivenUp()
        listener.clientEnded()
    }

    /// Ends the wait; false where that was done before.
    private func leave() -> Bool {
        guard phase != .over else { return false }
        phase = .over
        core.loop.cancel(&timer)
        gate.forget(self, isReplaced: isReplaced)
        return true
    }
}
