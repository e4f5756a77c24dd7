import LinuxIO
import NetworkTypes
import WeirStream
import WeirTLS

/// The session of an agent's client: TLS, and inside of it the request for a tunnel. To the engine both are one
/// handshake, within one time limit. Confined to its worker.
final class AgentSession: DialSession {
    private enum Phase {
        case shaking
        /// The request is read.
        case reading(TunnelProtocol)
        /// The dial is under way, whose end the client waits for.
        case dialing(TunnelProtocol)
        /// Bytes flow, or the connection ends.
        case settled
    }

    /// The reads of one step: a client may send a byte in each record.
    private static let maxReadsPerStep = 32

    private let tls: TLSSession
    private let ticket: TunnelTicket
    private let gate: AgentGate
    private let worker: Int
    private var phase = Phase.shaking
    /// The request, as far as it has come.
    private var received: [UInt8] = []
    private var wantedCount = 1
    /// A status that the socket did not take.
    private var owed: ArraySlice<UInt8> = []
    private(set) var refusal = RejectReason.destination
    /// The certificate under which the connection is counted.
    private var counted: [UInt8]?

    init(_ tls: TLSSession, _ ticket: TunnelTicket, _ gate: AgentGate, worker: Int) {
        self.tls = tls
        self.ticket = ticket
        self.gate = gate
        self.worker = worker
    }

    deinit {
        if let counted { gate.counts.leave(counted) }
    }

    var traits: ChannelTraits { tls.traits }
    var hasPeerCertificate: Bool { tls.hasPeerCertificate }
    var peerNames: [String] { tls.peerNames }
    var facts: SecureSessionFacts? { tls.facts }

    // MARK: Handshake and request

    func handshake(on socket: borrowing Socket) -> HandshakeStep {
        switch phase {
        case .shaking:
            let step = tls.handshake(on: socket)
            return step == .done ? begin(on: socket) : step
        case .reading(let tunnelProtocol): return read(tunnelProtocol, on: socket)
        case .dialing, .settled: return .done
        }
    }

    /// Begins with what the client has negotiated.
    private func begin(on socket: borrowing Socket) -> HandshakeStep {
        let role = AgentRole(uris: tls.peerURIs.split(separator: ","))
        let tunnelProtocol = TunnelProtocol(rawValue: tls.applicationProtocol)
        ticket.name = tls.peerName
        ticket.names = tls.peerNames
        let fingerprint = tls.peerFingerprint
        guard gate.enter(fingerprint) else { return refuse(.limit, .limit, tunnelProtocol, on: socket) }
        counted = fingerprint
        guard let tunnelProtocol else {
            phase = .settled
            ticket.purpose = .pages(role)
            return role.isEmpty ? .refused : .done
        }
        guard role.contains(.client) else { return refuse(.denied, .denied, tunnelProtocol, on: socket) }
        phase = .reading(tunnelProtocol)
        return read(tunnelProtocol, on: socket)
    }

    /// Reads as much as the request needs, and no byte of what follows it.
    private func read(_ tunnelProtocol: TunnelProtocol, on socket: borrowing Socket) -> HandshakeStep {
        for _ in 0..<Self.maxReadsPerStep {
            switch TunnelRequestParser.parse(received.span, tunnelProtocol) {
            case .needsMore(let count): wantedCount = count
            case .invalid(let fault):
                return refuse(TunnelStatus(fault), TunnelResult(fault), tunnelProtocol, on: socket)
            case .complete(let request, _): return take(request, tunnelProtocol, on: socket)
            }
            switch receive(on: socket) {
            case .bytes(0): return .yielded
            case .bytes: continue
            case .wouldBlock: return .waiting
            // As health checks do that only connect: with an end, or with a reset where tickets are unread.
            case .endOfStream where received.isEmpty: return .unused
            case .failed where received.isEmpty: return .unused
            case .endOfStream: return refuse(.malformed, .malformed, tunnelProtocol, on: socket)
            case .failed(let error): return .broken(error)
            }
        }
        return .yielded
    }

    private func receive(on socket: borrowing Socket) -> ReadResult {
        let start = received.count
        received += repeatElement(0, count: wantedCount - start)
        let result = unsafe received.withUnsafeMutableBytes { buffer in
            unsafe tls.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]), from: socket)
        }
        let count = if case .bytes(let count) = result { count } else { 0 }
        received.removeLast(wantedCount - start - count)
        return result
    }

    private func take(
        _ request: TunnelRequest, _ tunnelProtocol: TunnelProtocol, on socket: borrowing Socket
    ) -> HandshakeStep {
        received = []
        if request.purpose == .probe { return refuse(.ok, .probe, tunnelProtocol, on: socket) }
        ticket.purpose = .tunnel(request)
        phase = .dialing(tunnelProtocol)
        return .done
    }

    /// Ends a client that gets no tunnel.
    private func refuse(
        _ status: TunnelStatus, _ result: TunnelResult, _ tunnelProtocol: TunnelProtocol?, on socket: borrowing Socket
    ) -> HandshakeStep {
        received = []
        phase = .settled
        gate.observer.answered(result, over: .tcp, worker: worker)
        if tunnelProtocol == .weir { send(status, on: socket) }
        tls.finishWriting(on: socket)
        switch result {
        case .probe: refusal = .probe
        case .limit: refusal = .perIPLimit
        default: break
        }
        return .refused
    }

    func expect(serverName: [UInt8]) { tls.expect(serverName: serverName) }

    func handshakeTimedOut() {
        if case .reading = phase {
            phase = .settled
            gate.observer.answered(.timeout, over: .tcp, worker: worker)
        } else {
            tls.handshakeTimedOut()
        }
    }

    // MARK: End of the dial

    func dialEnded(_ end: DialEnd, on socket: borrowing Socket) -> Bool {
        guard case .dialing(let tunnelProtocol) = phase else { return false }
        phase = .settled
        let status = TunnelStatus(end, refusal: ticket.refusal)
        gate.observer.answered(TunnelResult(status), over: .tcp, worker: worker)
        if tunnelProtocol == .weir { send(status, on: socket) }
        if status != .ok { tls.finishWriting(on: socket) }
        return true
    }

    private func send(_ status: TunnelStatus, on socket: borrowing Socket) {
        owed = status.bytes[...]
        sendOwed(on: socket)
    }

    private func sendOwed(on socket: borrowing Socket) {
        guard !owed.isEmpty else { return }
        // A failed connection is met by the next read.
        guard case .bytes(let count) = unsafe owed.withUnsafeBytes({ unsafe tls.send($0, to: socket) }) else { return }
        owed = owed.dropFirst(count)
    }

    // MARK: Bytes

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        unsafe tls.receive(into: buffer, from: socket)
    }

    var hasEmptiedSocket: Bool { tls.hasEmptiedSocket }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        sendOwed(on: socket)
        guard owed.isEmpty else { return .wouldBlock }
        return unsafe tls.send(bytes, to: socket)
    }

    func finishWriting(on socket: borrowing Socket) {
        sendOwed(on: socket)
        tls.finishWriting(on: socket)
    }

    var hasPendingOutput: Bool { !owed.isEmpty || tls.hasPendingOutput }

    func flush(to socket: borrowing Socket) -> SystemError? {
        if let error = tls.flush(to: socket) { return error }
        sendOwed(on: socket)
        return nil
    }
}
