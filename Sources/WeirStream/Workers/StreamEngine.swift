import Glibc
import LinuxIO
import NetworkTypes
import Synchronization
import Threading

/// Receives the events of the engine's event loops, on their threads. A call must not block.
public protocol EngineObserver: Sendable {
    /// A worker ended a turn. `busyNanoseconds` is the turn's work without the wait; `timerLagNanoseconds` is the delay
    /// of its latest timer, nil where none was due.
    func turned(worker: Int, busyNanoseconds: UInt64, timerLagNanoseconds: UInt64?)
}

/// The workers that serve streams, and the state that streams share: the descriptor budget, the name cache, the list of
/// listening addresses. The number of workers is fixed for its life. Safe from any thread.
public final class StreamEngine: Sendable {
    /// The settings of an engine.
    public struct Options: Sendable {
        /// The number of event-loop threads.
        public var workers: Int
        /// The limit of open TCP connections over all streams; nil is what the descriptors allow.
        public var maxConnections: Int?
        /// The limit of buffered bytes that slow peers have not accepted yet, over all connections.
        public var bufferMemory = 256 << 20
        /// The source of monotonic time.
        public var clock = MonotonicClock.system
        /// The resolver of upstream names.
        public var resolver: any NameResolver = SystemResolver()
        /// How long a result of the resolver is used before the next lookup.
        public var resolveInterval = Duration.seconds(30)
        /// The shortest interval between two lookups of a name, which a failed dial may request.
        public var minResolveInterval = Duration.seconds(1)
        /// Receives the events of the event loops.
        public var observer: (any EngineObserver)?

        /// Creates the default options, with one worker per processor that this process may use.
        public init(workers: Int? = nil) {
            self.workers = workers ?? ProcessorCount.current.count
        }
    }

    /// The listening addresses of this engine, for loop detection.
    private let ownListeners = Lock(OwnListeners())
    private let loads: [WorkerLoad]
    private let clock: MonotonicClock
    private let routeNumber = Atomic<UInt32>(0)
    private let listenerNumber = Atomic<UInt32>(0)
    let workers: [Worker]
    let budget: DescriptorBudget
    let resolver: UpstreamResolver

    /// Starts the workers. It raises the descriptor limit of the process to the hard limit (getrlimit(2)), and ignores
    /// SIGPIPE.
    /// - Throws: ``StreamError/system(_:)``. After an error no thread runs.
    public init(_ options: Options = Options()) throws(StreamError) {
        ProcessLimits.ignoreBrokenPipeSignal()
        do throws(SystemError) {
            let count = max(1, options.workers)
            budget = DescriptorBudget(
                limit: try ProcessLimits.raiseDescriptorLimit(), workers: count,
                maxConnections: options.maxConnections, localPorts: LocalPorts.count())
            var threads: [EventLoopThread] = []
            var loads: [WorkerLoad] = []
            for index in 0..<count {
                threads.append(try EventLoopThread(name: "weir-worker-\(index)"))
                loads.append(WorkerLoad())
            }
            var workers: [Worker] = []
            for index in 0..<count {
                workers.append(
                    try Worker(
                        index: index, threads: threads, loads: loads, budget: budget,
                        bufferMemory: options.bufferMemory / count, clock: options.clock,
                        observer: options.observer))
            }
            try EventLoopThread.startAll(threads) { index throws(SystemError) in
                try threads[index].start(driving: workers[index])
            }
            self.workers = workers
            self.loads = loads
        } catch {
            throw .system(error)
        }
        clock = options.clock
        resolver = UpstreamResolver(
            resolver: options.resolver, refreshInterval: options.resolveInterval,
            minInterval: options.minResolveInterval)
    }

    private static let sharedEngine = Lock<StreamEngine?>(nil)

    /// Returns the engine of streams that name none. The first call creates it, with the default options.
    /// - Throws: ``StreamError/system(_:)``; the next call tries again.
    public static func shared() throws(StreamError) -> StreamEngine {
        let result = sharedEngine.withLock { engine -> Result<StreamEngine, StreamError> in
            if let engine { return .success(engine) }
            do throws(StreamError) {
                let made = try StreamEngine()
                engine = made
                return .success(made)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    // MARK: Load and limits

    /// The number of event-loop threads.
    public var workerCount: Int { workers.count }

    /// The limit of open TCP connections of the process.
    public var connectionLimit: Int { budget.connectionLimit }

    /// Sets the limit of open UDP sessions of the process; nil is what the descriptors and the local ports allow.
    /// Open sessions above the limit continue. A new session then replaces one of any stream, as on a full stream, or
    /// is rejected.
    public func limitSessions(to limit: Int?) { budget.limitSessions(to: limit) }

    /// The number of open TCP connections.
    public var openConnections: Int { loads.reduce(0) { $0 + $1.connections.load(ordering: .relaxed) } }

    /// Returns the first worker that has not ended a turn for `time`; nil where every worker has.
    public func stalledWorker(after time: Duration) -> Int? {
        let now = clock.nanoseconds
        return loads.firstIndex { load in
            let last = load.lastTurn.load(ordering: .relaxed)
            return now > last && now - last > time.clampedNanoseconds
        }
    }

    /// Ends the threads. Call it only after every stream is closed.
    public func shutdown() async {
        for worker in workers { worker.thread.stop() }
    }

    // MARK: For streams

    func makeRouteNumber() -> UInt32 {
        routeNumber.add(1, ordering: .relaxed).newValue
    }

    func makeListenerNumber() -> UInt32 {
        listenerNumber.add(1, ordering: .relaxed).newValue
    }

    /// Whether a dial to the upstream, if it is a literal, would reach a listener of this engine.
    func wouldLoop(_ transport: Transport, _ upstream: Upstream) -> Bool {
        ownListeners.withLock { $0.wouldLoop(transport, upstream) }
    }

    /// Returns the listening addresses of this engine and `others`, which are bound and not served yet, with the
    /// addresses of the interfaces as they are now. It copies the list: ask once for many checks.
    package func listeningAddresses(with others: [(Transport, SocketAddress)]) -> OwnListeners {
        var listeners = ownListeners.withLock { $0 }
        for (transport, address) in others { listeners.insert(transport, address) }
        if let interfaces = try? AddressLookup.interfaceAddresses() { listeners.interfaceAddresses = Set(interfaces) }
        return listeners
    }

    /// Adds listeners to the list of listening addresses of every worker, or removes them.
    func announce(_ transport: Transport, _ listeners: [Listener], isListening: Bool) async {
        await announce(
            transport, listeners.filter { $0.family != .unix }.map(\.address),
            paths: listeners.compactMap(\.configured.path), isListening: isListening)
    }

    /// Makes these addresses count as listeners of this engine, for its whole life: a dial to one of them fails as
    /// ``DialFailure/loop``. For listeners of the program that are no streams, such as an exporter that trusts clients
    /// with this machine's address.
    public func refuseDials(_ transport: Transport, to addresses: [SocketAddress]) async {
        await announce(transport, addresses, paths: [], isListening: true)
    }

    private func announce(
        _ transport: Transport, _ addresses: [SocketAddress], paths: [UnixSocketPath], isListening: Bool
    ) async {
        if addresses.isEmpty, paths.isEmpty { return }
        // Without the interfaces' addresses, a loop through one of them is not detected and ends at a limit.
        let interfaces = try? AddressLookup.interfaceAddresses()
        let snapshot = ownListeners.withLock { own in
            for address in addresses {
                if isListening { own.insert(transport, address) } else { own.remove(transport, address) }
            }
            for path in paths {
                if isListening { own.insert(path) } else { own.remove(path) }
            }
            if let interfaces { own.interfaceAddresses = Set(interfaces) }
            return own
        }
        for worker in workers { await worker.setOwnListeners(snapshot) }
    }
}
