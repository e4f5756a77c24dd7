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
    private let address: SocketAddress
    private let plan: ListenerPlan
    private let gate: ListenerGate
    private let listener: TCPListener
    @safe @exclusivity(unchecked) private var client: RelayEndpoint
    @safe @exclusivity(unchecked) private var header: ProxyHeader?
    @safe @exclusivity(unchecked) private var phase: Phase
    private var token: EventToken?
    @safe @exclusivity(unchecked) private var timer = TimerWheel.Identifier.none
    /// The bytes that must wait before the kernel reports them (`SO_RCVLOWAT`, socket(7)).
    private var lowWater = 1
    /// The stage of the matcher, and the answers that led to it.
    private var stage = 0
    private var answerCount = 0
    /// Whether a new client gets its slot among the undecided ones.
    private var isReplaced = false

    private var core: WorkerCore { gate.core }

    /// The client's address: the effective one, after a PROXY header.
    private var clientAddress: SocketAddress { header?.addresses?.source ?? address }

    init(
        _ socket: consuming Socket, address: SocketAddress, awaitsHeader: Bool, plan: ListenerPlan, gate: ListenerGate,
        listener: TCPListener
    ) {
        client = RelayEndpoint(accepted: socket)
        self.address = address
        self.plan = plan
        self.gate = gate
        self.listener = listener
        phase = awaitsHeader ? .awaitingHeader : .awaitingBytes
    }

    /// Registers the socket, for all events that a route needs. Bytes that have arrived are inspected in the next turn:
    /// those of most clients have not yet. The client may have ended when this returns.
    func start() {
        guard let number = client.withSocket({ $0.number }) else { return }
        let token = core.loop.insert(self)
        self.token = token
        do {
            try core.loop.add(number, .relay, token: token)
            armTimer()
        } catch {
            fail(.error)
        }
    }

    private func armTimer() {
        guard let token else { return }
        let limit = phase == .awaitingHeader ? plan.settings.proxyHeaderTimeout : plan.settings.helloTimeout
        core.loop.cancel(&timer)
        timer = core.loop.schedule(afterNanoseconds: limit.clampedNanoseconds, token: token)
    }

    // MARK: Events

    func descriptorReady(_ events: EventSet, tag: Int) {
        // A Unix client that closes its socket hangs up: what it sent before may still choose a route.
        if events.contains(.error) || events.contains(.hangup) && !address.isUnix {
            fail(.closed)
            return
        }
        client.note(events)
        if client.isReadable { look() }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        timer = .none
        guard phase == .awaitingHeader else {
            fail(.timeout)
            return
        }
        let excerpt = unsafe client.headerExcerpt(buffer: core.relayResources.buffer)
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
        switch unsafe client.receiveProxyHeader(buffer: core.relayResources.buffer) {
        case .waiting: break
        case .complete(let header): adopt(header)
        case .refused(let reason, let excerpt): refuseHeader(reason, excerpt)
        case .unused, .broken: fail(.closed)
        }
    }

    private func adopt(_ header: ProxyHeader) {
        self.header = header
        plan.hooks.observer?.proxyHeaderRead(version: header.version, worker: core.index)
        if let reason = gate.refusal(of: clientAddress, plan) {
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
        switch unsafe client.receiveCopy(into: buffer) {
        case .bytes(let count):
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
            switch unsafe matcher.match(bytes.span, isEnd: client.sawEnd, stage: stage) {
            case .route(let index, by: let result, preface: let preface):
                decide(RouteChoice(index: index, result: result, preface: preface))
            case .answer(let answer): send(answer, having: count)
            case .none(let mismatch): fail(ListenerFailure(mismatch))
            case .needsMore(let wanted): waitForMore(wanted, having: count)
            }
        case .wouldBlock: client.isReadable = false
        case .endOfStream, .failed: fail(.closed)
        }
    }

    /// Waits for more bytes. The kernel reports them when as many wait as the matcher needs, so that a client which
    /// sends single bytes costs no more than another.
    private func waitForMore(_ wanted: Int, having count: Int) {
        if count >= FirstBytesTable.maxBytes {
            fail(.tooLong)
        } else if client.sawEnd {
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
        client.discard(answer.consumedByteCount)
        switch unsafe answer.bytes.withUnsafeBytes({ unsafe client.send($0, more: false) }) {
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
        client.withSocket { $0.setIfPossible(.receiveLowWater, bytes) }
    }

    // MARK: Ending

    private func decide(_ choice: RouteChoice) {
        setLowWater(1)
        guard leave() else { return }
        gate.decide(client.take(), registration: token, address, header: header, choice, by: listener, plan)
        listener.clientEnded()
    }

    /// Ends the wait now: the client goes to the route that its bytes choose, or is reset. Its slot among the undecided
    /// ones goes to a new client.
    func giveWay() {
        isReplaced = true
        look()
        fail(.overflow)
    }

    /// Resets the client, once.
    func fail(_ reason: ListenerFailure) {
        guard leave() else { return }
        if let token { core.loop.remove(token) }
        client.close(withReset: true)
        plan.hooks.observer?.failed(reason, client: clientAddress, worker: core.index)
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
