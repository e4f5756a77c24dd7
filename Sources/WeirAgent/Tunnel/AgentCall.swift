import LinuxIO
public import NetworkTypes
import Threading
public import WeirStream

/// A call of an agent on a plain thread, which waits: for probes, never on a worker.
public enum AgentCall {
    /// The outcome of a call.
    public struct Outcome: Sendable, Equatable {
        /// The protocol that was agreed on.
        public var tunnelProtocol: TunnelProtocol?
        /// The reason why no tunnel could be had; nil where one could.
        public var agentFailure: AgentFailure?
        /// The reason of the agent's own dial; nil where it succeeded, or there was none.
        public var dialFailure: DialFailure?

        /// No failure.
        public init() {}
    }

    /// Asks an agent whether it takes tunnels, and awaits its verdict.
    public static func probe(_ client: AgentClient, at address: SocketAddress, timeout: Duration) -> Outcome {
        run(client, at: address, TunnelRequest(.probe), timeout: timeout, openTime: nil)
    }

    /// Has an agent connect a destination, and looks whether the connection stays open for a while, with nothing sent.
    public static func connect(
        _ client: AgentClient, at address: SocketAddress, to destination: AgentDestination, timeout: Duration,
        openTime: Duration
    ) -> Outcome {
        run(
            client, at: address, TunnelRequest(to: destination, timeLeft: timeout), timeout: timeout,
            openTime: openTime)
    }

    private static func run(
        _ client: AgentClient, at address: SocketAddress, _ request: TunnelRequest, timeout: Duration,
        openTime: Duration?
    ) -> Outcome {
        var outcome = Outcome()
        let clock = MonotonicClock.system
        let deadline = clock.nanoseconds &+ timeout.clampedNanoseconds
        func timeLeft() -> Duration { .nanoseconds(Int64(clamping: deadline - min(deadline, clock.nanoseconds))) }
        do throws(SystemError) {
            let socket = try Socket.connected(to: address, within: timeout)
            let session = TunnelSession(client.makeSession(worker: 0), request, timeLeft: timeLeft(), worker: 0)
            while true {
                switch session.handshake(on: socket) {
                case .yielded where timeLeft() > .zero: continue
                case .waiting, .yielded:
                    let readiness: Poll.Readiness = session.hasPendingOutput ? .writable : .readable
                    let left = timeLeft()
                    // Also an agent that always has a byte more has no more time.
                    if left > .zero, Poll.wait(for: readiness, on: socket.number, within: left) { continue }
                    session.handshakeTimedOut()
                    outcome.dialFailure = session.timeoutFailure
                    outcome.agentFailure = session.agentFailure ?? (request.purpose == .probe ? .timeout : nil)
                case .doneUnlessRefused, .done:
                    if let openTime, !staysOpen(session, socket, openTime) { outcome.dialFailure = .reset }
                case .failed, .unused, .refused, .broken:
                    outcome.dialFailure = session.dialFailure
                    outcome.agentFailure = session.agentFailure
                }
                outcome.tunnelProtocol = session.tunnelProtocol
                client.noteProtocol(session.tunnelProtocol)
                session.finishWriting(on: socket)
                return outcome
            }
        } catch {
            outcome.dialFailure = .agent
            outcome.agentFailure = AgentFailure(DialFailure(error))
            return outcome
        }
    }

    /// Whether neither an end nor an error comes within the time. A greeting is a good sign.
    private static func staysOpen(_ session: TunnelSession, _ socket: borrowing Socket, _ time: Duration) -> Bool {
        let clock = MonotonicClock.system
        let deadline = clock.nanoseconds &+ time.clampedNanoseconds
        var byte: UInt8 = 0
        while true {
            switch unsafe withUnsafeMutableBytes(of: &byte, { unsafe session.receive(into: $0, from: socket) }) {
            case .bytes(0): continue
            case .bytes: return true
            case .endOfStream, .failed: return false
            case .wouldBlock:
                let left = Duration.nanoseconds(Int64(clamping: deadline - min(deadline, clock.nanoseconds)))
                if left == .zero || !Poll.wait(for: .readable, on: socket.number, within: left) { return true }
            }
        }
    }
}
