public import LinuxIO

/// The conversation of a check through a ``SecureSession``: TLS to the member, or a tunnel to it.
public final class SecureCheckSession: CheckSession {
    /// The bound on steps of a handshake that a peer may cause in a row.
    private static let maxStepsInARow = 4

    private let session: any SecureSession
    private let failure: () -> CheckResult

    /// Carries a check through a session. `failure` returns the result of a handshake that the session has given up,
    /// and of a peer that keeps the thread busy with one.
    public init(_ session: any SecureSession, failure: @escaping () -> CheckResult = { .tls }) {
        self.session = session
        self.failure = failure
    }

    /// See ``CheckSession/handshake(on:)``.
    public func handshake(on socket: borrowing Socket) -> CheckHandshake {
        for _ in 0..<Self.maxStepsInARow {
            switch session.handshake(on: socket) {
            case .done, .doneUnlessRefused: return .done
            case .waiting: return .waiting
            case .yielded: continue
            case .failed, .unused, .refused: return .failed(failure())
            case .broken(let error): return .broken(error)
            }
        }
        // A peer that keeps the thread busy.
        return .failed(failure())
    }

    /// See ``CheckSession/receive(into:from:)``.
    public func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        unsafe session.receive(into: buffer, from: socket)
    }

    /// See ``CheckSession/send(_:to:)``.
    public func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        unsafe session.send(bytes, to: socket)
    }

    /// See ``CheckSession/flush(to:)``.
    public func flush(to socket: borrowing Socket) -> SystemError? {
        session.hasPendingOutput ? session.flush(to: socket) : nil
    }

    /// See ``CheckSession/finish(on:)``.
    public func finish(on socket: borrowing Socket) { session.finishWriting(on: socket) }
}
