import LinuxIO
import NetworkTypes
import Threading

/// One bound address, as all workers share it: from the bind until the last worker has given its socket back.
///
/// Which route or table its clients go to is not its own: the workers' parts (``TCPListener``, ``UDPListener``) know. The
/// owner, a route or a ``SharedListener``, calls it in its turns only.
final class Listener: Sendable {
    private struct State {
        /// Sockets that no worker has yet.
        var sockets: ListenerSockets?
        /// Descriptors that were taken out of the budget for it.
        var granted: Int
        /// Workers that still carry something of a listener that was removed; nil while it serves.
        var busyWorkers: Int?
    }

    /// The listener's number in its engine.
    let number: UInt32
    /// The address as it was configured.
    let configured: ListenAddress
    /// Where it listens, with the real port.
    let address: SocketAddress
    let family: Socket.Family
    /// Whether it is bound to every address.
    let isWildcard: Bool
    /// How many listening sockets it has: one a worker, or fewer where descriptors are short.
    let socketCount: Int
    private let engine: StreamEngine
    private let state: Lock<State>

    /// Binds an address. TCP clients wait in the kernel from then on.
    init(_ listen: ListenAddress, settings: ListenerSettings?, engine: StreamEngine) throws(StreamError) {
        let granted = engine.budget.acquireListeners(wanted: engine.workerCount)
        let sockets: ListenerSockets
        do throws(StreamError) {
            sockets = try ListenerSockets(listen, count: granted, options: settings)
        } catch {
            engine.budget.releaseListeners(granted)
            throw error
        }
        number = engine.makeListenerNumber()
        configured = listen
        address = sockets.address
        family = sockets.family
        isWildcard = sockets.isWildcard
        socketCount = sockets.count
        self.engine = engine
        state = Lock(State(sockets: sockets, granted: granted))
    }

    deinit {
        release()
    }

    /// Gives the sockets to the workers, which all know the listener, and returns the error of one that could not take its
    /// own.
    func serve() async -> SystemError? {
        let taken = state.withLock { $0.sockets.take() }
        guard let numbers = taken?.take() else { return nil }
        // With fewer sockets than workers, listeners take turns on which workers have theirs.
        let offset = numbers.count == engine.workerCount ? 0 : Int(number) % engine.workerCount
        var failure: SystemError?
        for worker in engine.workers {
            let index = (worker.index + engine.workerCount - offset) % engine.workerCount
            guard index < numbers.count else { continue }
            do throws(SystemError) {
                try await worker.listen(numbers[index], listener: self)
            } catch {
                failure = error
            }
        }
        return failure
    }

    /// Closes sockets that no worker has, and gives the descriptors back. Doing it twice does nothing.
    func release() {
        let (sockets, granted) = state.withLock { state in
            defer { state.granted = 0 }
            return (state.sockets.take(), state.granted)
        }
        sockets?.close()
        engine.budget.releaseListeners(granted)
    }

    // MARK: A listener that goes while its route stays

    /// Its clients may finish; each worker says when it has none any more.
    func beginClosing() {
        state.withLock { $0.busyWorkers = engine.workerCount }
    }

    /// Whether it was removed, and no worker has anything of it any more.
    var hasEnded: Bool { state.withLock { $0.busyWorkers == 0 } }

    /// A worker has no client of a removed listener any more. Returns whether it was the last worker.
    func workerFinished() -> Bool {
        state.withLock { state in
            // A worker that has not heard yet that the listener stays.
            guard let busy = state.busyWorkers, busy > 0 else { return false }
            state.busyWorkers = busy - 1
            return busy == 1
        }
    }

    /// Whether a removed listener serves again: not where it has ended already.
    func reopen() -> Bool {
        state.withLock { state in
            guard let busy = state.busyWorkers, busy > 0 else { return false }
            state.busyWorkers = nil
            return true
        }
    }
}

extension Listener: Equatable {
    static func == (first: Listener, second: Listener) -> Bool { first === second }
}
