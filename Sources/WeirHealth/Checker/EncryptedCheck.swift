import LinuxIO

/// The conversation of a check through a session of TLS.
final class EncryptedCheck: CheckSession {
    /// The bound on steps of a handshake that a member may cause in a row.
    private static let maxStepsInARow = 4

    private let session: any SecureSession

    init(_ session: any SecureSession) {
        self.session = session
    }

    func handshake(on socket: borrowing Socket) -> CheckHandshake {
        for _ in 0..<Self.maxStepsInARow {
            switch session.handshake(on: socket) {
            case .done, .doneUnlessRefused: return .done
            case .waiting: return .waiting
            case .yielded: continue
            case .failed, .unused, .refused: return .failed(.tls)
            case .broken(let error): return .broken(error)
            }
        }
        // A member that keeps the thread busy.
        return .failed(.tls)
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        unsafe session.receive(into: buffer, from: socket)
    }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        unsafe session.send(bytes, to: socket)
    }

    func flush(to socket: borrowing Socket) -> SystemError? {
        session.hasPendingOutput ? session.flush(to: socket) : nil
    }

    func finish(on socket: borrowing Socket) { session.finishWriting(on: socket) }
}
