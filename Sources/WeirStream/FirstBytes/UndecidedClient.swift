import LinuxIO
import NetworkTypes
import Threading

/// A client of a shared listener from the accept until its first bytes have chosen a route: perhaps a PROXY header, then
/// the matcher.
///
/// Its bytes stay in the socket: they are only looked at, so nothing is kept for a slow client. Confined to the worker.
final class UndecidedClient: EventHandler, UndecidedMember {
    private enum Phase {
        case awaitingHeader, awaitingBytes, over
    }

    var position = UndecidedPosition()
    private let address: SocketAddress
    private let plan: ListenerPlan
    private let gate: ListenerGate
    private let listener: TCPListener
    private var socket: Socket?
    private var header: ProxyHeader?
    private var phase: Phase
    private var token: EventToken?
    private var timer = TimerWheel.Identifier.none
    /// Whether the client has ended its stream, as epoll said.
    private var sawEnd = false
    /// How many bytes must wait before the kernel tells of them (`SO_RCVLOWAT`).
    private var lowWater = 1

    private var core: WorkerCore { gate.core }

    /// The client, or the one that a PROXY header named.
    private var clientAddress: SocketAddress { header?.addresses?.source ?? address }

    init(
        _ socket: consuming Socket, address: SocketAddress, awaitsHeader: Bool, plan: ListenerPlan, gate: ListenerGate,
        listener: TCPListener
    ) {
        self.socket = consume socket
        self.address = address
        self.plan = plan
        self.gate = gate
        self.listener = listener
        phase = awaitsHeader ? .awaitingHeader : .awaitingBytes
    }

    /// Looks at once: where all is there, nothing need be registered. The client may be gone when this returns.
    func start() {
        look()
        guard phase != .over, let number = socket?.number else { return }
        let token = core.loop.insert(self)
        self.token = token
        do {
            try core.loop.add(number, [.readable, .peerClosed, .edgeTriggered], token: token)
            armTimer()
        } catch {
            fail(.error)
        }
    }

    private func armTimer() {
        guard let token else { return }
        let limit = phase == .awaitingHeader ? plan.settings.proxyHeaderTimeout : plan.settings.helloTimeout
        core.loop.cancel(&timer)
        timer = core.loop.schedule(after: limit.clampedNanoseconds, token: token)
    }

    // MARK: Events

    func descriptorReady(_ events: EventSet, tag: Int) {
        if events.contains(.error) || events.contains(.hangup) {
            fail(.closed)
            return
        }
        if events.contains(.peerClosed) { sawEnd = true }
        look()
    }

    func timerFired(tag: Int, deadline: UInt64) {
        timer = .none
        if phase == .awaitingHeader { refuseHeader(.timeout) } else { fail(.timeout) }
    }

    func deferred(tag: Int) {}

    // MARK: Looking

    private func look() {
        if phase == .awaitingHeader { lookForHeader() }
        if phase == .awaitingBytes { lookForMatch() }
    }

    /// Edge-triggered, so each arrival is looked at once; the header is taken out of the socket only when it is whole.
    private func lookForHeader() {
        let buffer = unsafe UnsafeMutableRawBufferPointer(
            rebasing: core.relayResources.buffer[..<ProxyHeader.longestV2])
        switch unsafe peek(into: buffer) {
        case .bytes(let count):
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
            switch unsafe ProxyHeaderParser.parse(stream: bytes.span) {
            case .incomplete: if sawEnd { refuseHeader(.truncated) }
            case .invalid(let reason): refuseHeader(reason)
            case .complete(let header): adopt(header)
            }
        case .wouldBlock: break
        case .endOfStream: refuseHeader(.missing)
        case .failed: fail(.closed)
        }
    }

    private func adopt(_ header: ProxyHeader) {
        discard(header.length)
        self.header = header
        plan.hooks.observer?.proxyHeaderRead(version: header.version, worker: core.index)
        if let reason = gate.refusal(of: clientAddress, plan) {
            fail(reason)
            return
        }
        phase = .awaitingBytes
        if plan.matcher == nil { decide(0) } else { armTimer() }
    }

    private func refuseHeader(_ reason: ProxyHeaderError) {
        plan.hooks.observer?.proxyHeaderFailed(reason: reason, worker: core.index)
        fail(.proxyProtocol)
    }

    private func lookForMatch() {
        guard let matcher = plan.matcher else { return }
        let buffer = unsafe UnsafeMutableRawBufferPointer(
            rebasing: core.relayResources.buffer[..<FirstBytesTable.maxBytes])
        switch unsafe peek(into: buffer) {
        case .bytes(let count):
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
            switch unsafe matcher.match(bytes.span, isEnd: sawEnd) {
            case .route(let index): decide(index)
            case .none(let mismatch): fail(ListenerFailure(mismatch))
            case .needsMore(let wanted): waitForMore(wanted, having: count)
            }
        case .wouldBlock: break
        case .endOfStream, .failed: fail(.closed)
        }
    }

    /// Waits for more bytes: the kernel tells of them when there are as many as the matcher needs, so that a client which
    /// sends them one at a time costs no more than any other.
    private func waitForMore(_ wanted: Int, having count: Int) {
        if count >= FirstBytesTable.maxBytes {
            fail(.tooLong)
        } else if sawEnd {
            fail(.closed)
        } else {
            setLowWater(min(max(wanted, count + 1), FirstBytesTable.maxBytes))
        }
    }

    private func setLowWater(_ bytes: Int) {
        guard bytes != lowWater else { return }
        lowWater = bytes
        // Without it each arrival is looked at, which is slower and no less right.
        socket?.setIfPossible(.receiveLowWater, bytes)
    }

    private func peek(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        guard socket != nil else { return .wouldBlock }
        return unsafe socket!.receiveCopy(into: buffer)
    }

    private func discard(_ count: Int) {
        var rest = count
        while rest > 0, let result = socket?.discard(rest), case .bytes(let taken) = result { rest -= taken }
    }

    // MARK: Ending

    private func decide(_ index: Int) {
        setLowWater(1)
        if token != nil, let number = socket?.number {
            do {
                // The route's connection registers it anew.
                try core.loop.withdraw(number)
            } catch {
                preconditionFailure("a registered client: \(error)")
            }
        }
        guard let socket = leave() else { return }
        gate.decide(socket, address, header: header, route: index, by: listener, plan)
        listener.clientEnded()
    }

    /// Resets a client that came to no route, once.
    func fail(_ reason: ListenerFailure) {
        guard let socket = leave() else { return }
        socket.closeWithReset()
        plan.hooks.observer?.failed(reason, client: clientAddress, worker: core.index)
        core.connectionGivenUp()
        listener.clientEnded()
    }

    /// Ends its life here. Nil where that was done before.
    private func leave() -> Socket? {
        guard phase != .over else { return nil }
        phase = .over
        core.loop.cancel(&timer)
        if let token { core.loop.remove(token) }
        token = nil
        gate.forget(self)
        return socket.take()
    }
}
