import LinuxIO
import NetworkTypes
import Threading

/// One bound address, as all workers share it: from the bind until the last worker has closed its socket.
///
/// It does not know the route or table of its clients; the workers' parts do (``TCPListener``, ``UDPListener``). The
/// owner, a route or a ``SharedListener``, calls it one call at a time.
final class Listener: Sendable {
    private struct State {
        /// Sockets that no worker has yet.
        var sockets: ListenerSockets?
        /// Descriptors that the listener has taken from the budget.
        var granted: Int
        /// Workers that still have clients of a removed listener; nil while it serves.
        var busyWorkers: Int?
    }

    /// The listener's number in its engine.
    let number: UInt32
    /// The address as it was configured.
    let configured: ListenAddress
    /// The bound address, with the real port.
    let address: SocketAddress
    let family: Socket.Family
    /// Whether it is bound to every address.
    let isWildcard: Bool
    /// The file of a Unix socket; nil for an abstract name, and for IP.
    let file: UnixSocketFile?
    /// The number of listening sockets: one per worker, or one where descriptors are short, and for a Unix socket.
    let socketCount: Int
    private let engine: StreamEngine
    private let state: Lock<State>

    /// Binds an address. From then on, TCP clients wait in the kernel, unless the sockets join (``ListenerSockets``).
    /// Without a number of sockets it has one for each worker, as long as descriptors last.
    init(
        _ listen: ListenAddress, settings: ListenerSettings?, isFreeBind: Bool = false, engine: StreamEngine,
        joins: Bool = false, wanted: Int? = nil
    ) throws(StreamError) {
        let wanted = listen.path == nil ? wanted ?? engine.workerCount : 1
        let granted = engine.budget.acquireListeners(wanted: wanted)
        let sockets: ListenerSockets
        do throws(StreamError) {
            sockets = try ListenerSockets(
                listen, count: granted, options: settings, isFreeBind: isFreeBind, joins: joins)
        } catch {
            engine.budget.releaseListeners(granted)
            throw error
        }
        number = engine.makeListenerNumber()
        configured = listen
        address = sockets.address
        family = sockets.family
        isWildcard = sockets.isWildcard
        file = sockets.file
        socketCount = sockets.count
        self.engine = engine
        state = Lock(State(sockets: sockets, granted: granted))
    }

    deinit {
        release()
    }

    /// Serves a listener whose workers all know it. Returns the error of a worker that could not register its socket.
    func serve() async -> SystemError? { await Self.serve([self], on: engine).first?.error }

    /// Gives the sockets of listeners to the workers, which all know them: one call for each worker, however many
    /// listeners there are. Returns those that could not be served.
    static func serve(_ listeners: [Listener], on engine: StreamEngine) async -> [ServeFailure] {
        var failures: [ServeFailure] = []
        var shares: [[ListenerShare]] = Array(repeating: [], count: engine.workerCount)
        for listener in listeners {
            do throws(SystemError) {
                for (worker, socket) in try listener.takeSockets() {
                    shares[worker].append(ListenerShare(listener: listener, socket: socket))
                }
            } catch {
                failures.append(ServeFailure(listener: listener, error: error))
            }
        }
        for (worker, share) in zip(engine.workers, shares) where !share.isEmpty {
            failures += await worker.listen(share)
        }
        return failures
    }

    /// Takes the sockets, each with the index of its worker. The caller owns them.
    private func takeSockets() throws(SystemError) -> [(worker: Int, socket: CInt)] {
        guard let taken = state.withLock({ $0.sockets.take() }) else { return [] }
        do throws(SystemError) {
            try taken.listenIfDue()
        } catch {
            taken.close()
            throw error
        }
        let numbers = taken.take()
        // With fewer sockets than workers, the offset spreads listeners over the workers.
        let offset = numbers.count == engine.workerCount ? 0 : Int(number) % engine.workerCount
        return numbers.enumerated().map { (($0.offset + offset) % engine.workerCount, $0.element) }
    }

    /// Closes sockets that no worker has, and returns the descriptors to the budget. A second call has no effect.
    func release() {
        let (sockets, granted) = state.withLock { state in
            defer { state.granted = 0 }
            return (state.sockets.take(), state.granted)
        }
        sockets?.close()
        engine.budget.releaseListeners(granted)
    }

    // MARK: Removal while the route serves

    /// Begins the removal: the clients may finish, and each worker reports when it has none any more.
    func beginClosing() {
        state.withLock { $0.busyWorkers = engine.workerCount }
    }

    /// Whether the listener was removed, and no worker has a client of it any more.
    var hasEnded: Bool { state.withLock { $0.busyWorkers == 0 } }

    /// A worker has no client of a removed listener any more. Returns whether it was the last worker.
    func workerFinished() -> Bool {
        state.withLock { state in
            // The worker does not know yet that the listener serves again.
            guard let busy = state.busyWorkers, busy > 0 else { return false }
            state.busyWorkers = busy - 1
            return busy == 1
        }
    }

    /// Cancels the removal. Returns false where the listener has already ended.
    func reopen() -> Bool {
        state.withLock { state in
            guard let busy = state.busyWorkers, busy > 0 else { return false }
            state.busyWorkers = nil
            return true
        }
    }
}

/// A socket of a listener on its way to a worker, which owns it then.
struct ListenerShare: Sendable {
    let listener: Listener
    let socket: CInt
}

/// A listener that a worker could not serve.
struct ServeFailure: Sendable {
    let listener: Listener
    let error: SystemError
}

extension Listener: Equatable {
    static func == (first: Listener, second: Listener) -> Bool { first === second }
}
