import Glibc
public import LinuxIO
public import NetworkTypes
public import WeirStream
import WeirTLS

/// One tunnel to an agent: a TLS session whose handshake also sends the request and awaits the agent's status. Then it
/// carries the bytes of the destination. Confined to its thread.
///
/// By ``TunnelProtocol/plain`` no status comes. Its dial counts as failed where the agent ends the stream before the
/// first byte of either side; an end that comes later and before the agent's first byte is an error, because a failed
/// dial at the agent looks like it.
public final class TunnelSession: DialSession {
    private enum Stage {
        case handshaking, requesting, awaitingStatus
        /// By ``TunnelProtocol/plain``: only an end, or an alert, would tell more.
        case awaitingRefusal
        case open, failed
    }

    private let tls: TLSSession
    private let request: TunnelRequest
    private let observer: (any AgentObserver)?
    private let worker: Int
    private var reservation: (any TunnelReservation)?
    private var stage = Stage.handshaking
    /// The protocol that was agreed on.
    public private(set) var tunnelProtocol: TunnelProtocol?
    /// The rest of the request.
    private var output: ArraySlice<UInt8> = []
    private var status: [UInt8] = []
    /// The agent's first byte, where it came before the relay.
    private var firstByte: UInt8?
    private var hasGivenFirstByte = false
    private var hasReceived = false
    private var isOpenTold = false
    private var isVerdictTold = false
    private let start = MonotonicClock.system.nanoseconds
    private let deadline: UInt64
    private var handshakeNanoseconds: UInt64 = 0

    /// How long an agent may take to refuse by ``TunnelProtocol/plain``, at most, before the dial counts as done.
    private static let refusalTime = Duration.seconds(1)

    /// The reason of a failed dial.
    public private(set) var dialFailure = DialFailure.agent
    /// The reason why no tunnel could be had; nil where one could, or it is not known yet.
    public private(set) var agentFailure: AgentFailure?

    init(
        _ tls: TLSSession, _ request: TunnelRequest, timeLeft: Duration, worker: Int,
        observer: (any AgentObserver)? = nil, reservation: (any TunnelReservation)? = nil
    ) {
        self.tls = tls
        self.request = request
        self.worker = worker
        self.observer = observer
        self.reservation = reservation
        let (deadline, isBeyond) = start.addingReportingOverflow(timeLeft.clampedNanoseconds)
        self.deadline = isBeyond ? .max : deadline
    }

    deinit {
        if isOpenTold { observer?.tunnelClosed(worker: worker) }
    }

    /// Those of TLS.
    public var traits: ChannelTraits { tls.traits }

    /// The header is for the destination.
    public var carriesProxyHeader: Bool { true }

    /// The agent's own dial takes too long once it has the request.
    public var timeoutFailure: DialFailure {
        stage == .awaitingStatus || stage == .awaitingRefusal ? .timeout : .agent
    }

    private var isProbe: Bool { request.purpose == .probe }

    // MARK: Handshake

    /// See ``SecureSession/handshake(on:)``.
    public func handshake(on socket: borrowing Socket) -> HandshakeStep {
        switch stage {
        case .handshaking:
            let step = tls.handshake(on: socket)
            switch step {
            case .done, .doneUnlessRefused: break
            case .waiting, .yielded: return step
            case .failed, .unused, .refused: return fail(AgentFailure(tls.failure ?? .other, alert: tls.alert))
            case .broken(let error): return fail(error.code == ECONNRESET ? .reset : .closed)
            }
            handshakeNanoseconds = MonotonicClock.system.nanoseconds - start
            // What the agent does from here on takes its time, not ours.
            reservation = nil
            guard let agreed = TunnelProtocol(rawValue: tls.applicationProtocol) else { return fail(.alpn) }
            tunnelProtocol = agreed
            output = currentRequest.bytes(agreed)[...]
            stage = .requesting
            return send(on: socket)
        case .requesting: return send(on: socket)
        case .awaitingStatus, .awaitingRefusal: return receiveVerdict(from: socket)
        case .open: return .done
        case .failed: return .failed
        }
    }

    /// The request with the time that is left now.
    private var currentRequest: TunnelRequest {
        var request = request
        if request.timeLeft != nil {
            let now = MonotonicClock.system.nanoseconds
            request.timeLeft = .nanoseconds(Int64(clamping: deadline - min(now, deadline)))
        }
        return request
    }

    private func send(on socket: borrowing Socket) -> HandshakeStep {
        while !output.isEmpty {
            switch unsafe output.withUnsafeBytes({ unsafe tls.send($0, to: socket) }) {
            case .bytes(let count): output = output.dropFirst(count)
            case .wouldBlock: return .waiting
            case .failed: return fail(lost)
            }
        }
        if tunnelProtocol == .weir {
            stage = .awaitingStatus
        } else {
            stage = .awaitingRefusal
            if !isProbe { taken(isOpen: true) }
        }
        return receiveVerdict(from: socket)
    }

    private func receiveVerdict(from socket: borrowing Socket) -> HandshakeStep {
        if tls.hasPendingOutput, tls.flush(to: socket) != nil { return fail(lost) }
        while true {
            let wanted = stage == .awaitingStatus ? TunnelStatus.length - status.count : 1
            var bytes: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
            let result = unsafe withUnsafeMutableBytes(of: &bytes) { buffer in
                unsafe tls.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), from: socket)
            }
            switch result {
            case .bytes(0): return .yielded
            case .bytes(let count):
                if stage == .awaitingRefusal { return received(bytes.0) }
                status += [bytes.0, bytes.1, bytes.2, bytes.3].prefix(count)
                if let step = judgeStatus() { return step }
            case .wouldBlock:
                return stage == .awaitingRefusal && !isProbe
                    ? .doneUnlessRefused(within: Self.refusalTime) : .waiting
            case .endOfStream: return endedEarly()
            case .failed: return fail(lost)
            }
        }
    }

    /// The agent's first byte by ``TunnelProtocol/plain``: its dial was done.
    private func received(_ byte: UInt8) -> HandshakeStep {
        if isProbe { return fail(.protocol) }
        firstByte = byte
        hasReceived = true
        stage = .open
        return .done
    }

    private func judgeStatus() -> HandshakeStep? {
        switch TunnelStatus.parse(status.span) {
        case .needsMore: return nil
        case .invalid: return fail(.protocol)
        case .complete(let status):
            if let reason = status.agentFailure { return fail(reason) }
            taken(isOpen: status == .ok && !isProbe)
            guard let failure = status.dialFailure else {
                stage = .open
                return .done
            }
            dialFailure = failure
            stage = .failed
            return .failed
        }
    }

    private func endedEarly() -> HandshakeStep {
        guard stage == .awaitingRefusal else { return fail(.closed) }
        if isProbe {
            taken(isOpen: false)
            stage = .open
            return .done
        }
        // The tunnel itself was taken, as far as that protocol tells.
        stage = .failed
        return .failed
    }

    /// The reason for a connection that has broken.
    private var lost: AgentFailure { tls.alert == 0 ? .reset : AgentFailure(alert: tls.alert) }

    // MARK: What is told

    private func taken(isOpen: Bool) {
        if !isVerdictTold {
            isVerdictTold = true
            observer?.handshakeSucceeded(isResumed: tls.isResumed, nanoseconds: handshakeNanoseconds, worker: worker)
        }
        if isOpen, !isOpenTold {
            isOpenTold = true
            observer?.tunnelOpened(worker: worker)
        }
    }

    private func fail(_ reason: AgentFailure) -> HandshakeStep {
        stage = .failed
        agentFailure = reason
        dialFailure = .agent
        reservation = nil
        if !isVerdictTold {
            isVerdictTold = true
            observer?.handshakeFailed(reason, worker: worker)
        }
        return .failed
    }

    /// Counts a tunnel that could not be had; an agent whose own dial takes too long has taken it.
    public func handshakeTimedOut() {
        switch stage {
        case .handshaking, .requesting: _ = fail(.timeout)
        case .awaitingStatus: taken(isOpen: false)
        case .awaitingRefusal, .open, .failed: break
        }
    }

    // MARK: Bytes

    /// See ``SecureSession/receive(into:from:)``. An end without close_notify is that of a tunnel that has broken.
    public func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        if let byte = firstByte, unsafe !buffer.isEmpty {
            firstByte = nil
            hasGivenFirstByte = true
            unsafe buffer[0] = byte
            return .bytes(1)
        }
        hasGivenFirstByte = false
        let result = unsafe tls.receive(into: buffer, from: socket)
        switch result {
        case .bytes(let count): if count > 0 { hasReceived = true }
        case .endOfStream:
            if tls.isTruncated || tunnelProtocol == .plain && !hasReceived {
                return .failed(SystemError(.receive, ECONNRESET))
            }
        case .wouldBlock, .failed: break
        }
        return result
    }

    /// See ``SecureSession/hasEmptiedSocket``.
    public var hasEmptiedSocket: Bool { !hasGivenFirstByte && tls.hasEmptiedSocket }

    /// See ``SecureSession/send(_:to:)``.
    public func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        unsafe tls.send(bytes, to: socket)
    }

    /// Sends close_notify, and FIN behind it.
    public func finishWriting(on socket: borrowing Socket) { tls.finishWriting(on: socket) }

    /// See ``SecureSession/hasPendingOutput``.
    public var hasPendingOutput: Bool { tls.hasPendingOutput }

    /// See ``SecureSession/flush(to:)``.
    public func flush(to socket: borrowing Socket) -> SystemError? { tls.flush(to: socket) }
}
