import LinuxIO
import Synchronization

/// The server of a ``ClientThread``.
protocol ClientServer: Sendable {
    /// Serves one client, and may block meanwhile.
    func serve(_ client: consuming Socket)
}

/// A plain thread that accepts the clients of a listening socket, and has one served after the other. Until it starts,
/// clients wait in the socket's queue.
final class ClientThread: Sendable {
    private let socket: Socket
    private let turn: Duration
    private let hasStopped = Atomic<Bool>(false)

    /// Takes over a listening socket. `turn` is the longest time after which the thread looks whether it is to end.
    init(_ socket: consuming Socket, turn: Duration) {
        self.socket = socket
        self.turn = turn
    }

    /// Whether the thread is to end.
    var isStopped: Bool { hasStopped.load(ordering: .relaxed) }

    /// Starts the thread, which keeps the server alive.
    func start(name: String, _ server: any ClientServer) throws(SystemError) {
        try Thread.start(name: name) { [self] in run(server) }
    }

    /// Lets the thread end, within a turn where no client is being served.
    /// - Returns: whether this is the first call.
    @discardableResult
    func stop() -> Bool { !hasStopped.exchange(true, ordering: .relaxed) }

    private func run(_ server: any ClientServer) {
        while !isStopped {
            guard Poll.wait(for: .readable, on: socket.number, within: turn) else { continue }
            switch socket.accept() {
            case .accepted(let client, _): server.serve(client)
            case .wouldBlock: continue
            // No descriptors, for example: the client waits meanwhile.
            case .failed: Poll.pause(turn)
            }
        }
    }
}
