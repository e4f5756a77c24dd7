import Glibc
import LinuxIO
import NetworkTypes
import Synchronization
import Threading

/// Sees the engine's event loops, on their own threads.
public protocol EngineObserver: Sendable {
    /// A worker ended a turn: how long it worked, waiting excluded, and how late its latest timer ran, if one was due.
    func turned(worker: Int, busyNanoseconds: UInt64, timerLagNanoseconds: UInt64?)
}

/// The workers that carry streams, and what the streams share: descriptors, the name cache, the knowledge of our own
/// listeners. Its worker count is fixed for its life.
public final class StreamEngine: Sendable {
    /// How an engine is set up.
    public struct Options: Sendable {
        /// How many event-loop threads.
        public var workers: Int
        /// How many TCP connections at once over all streams; nil is what the descriptors allow.
        public var maxConnections: Int?
        /// Bytes that slow peers have not taken yet, over all connections.
        public var bufferMemory = 256 << 20
        /// Where time comes from.
        public var clock = MonotonicClock.system
        /// Who resolves upstream names.
        public var resolver: any NameResolver = SystemResolver()
        /// How long an answer of the resolver is used.
        public var resolveInterval = Duration.seconds(30)
        /// How soon a name may be asked again after a failed dial.
        public var shortestResolveInterval = Duration.seconds(1)
        /// Sees the loops.
        public var observer: (any EngineObserver)?

        /// One worker per core that this process may use, and the defaults.
        public init(workers: Int? = nil) {
            self.workers = workers ?? max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        }
    }

    /// Where the listeners of this engine are, for loop detection.
    private let ownListeners = Lock(OwnListeners())
    private let loads: [WorkerLoad]
    private let clock: MonotonicClock
    private let routeNumber = Atomic<UInt32>(0)
    private let listenerNumber = Atomic<UInt32>(0)
    let workers: [Worker]
    let budget: DescriptorBudget
    let resolver: UpstreamResolver

    /// Starts the workers. Raises the descriptor limit of the process and ignores SIGPIPE.
    public init(_ options: Options = Options()) throws(StreamError) {
        ProcessLimits.ignoreBrokenPipeSignal()
        do throws(SystemError) {
            budget = DescriptorBudget(
                limit: try ProcessLimits.raiseDescriptorLimit(), maxConnections: options.maxConnections)
            let count = max(1, options.workers)
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
            shortestInterval: options.shortestResolveInterval)
    }

    private static let sharedEngine = Lock<StreamEngine?>(nil)

    /// The engine of streams that name none: made at its first use, one worker per core.
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

    // MARK: What it carries

    /// How many event-loop threads there are.
    public var workerCount: Int { workers.count }

    /// How many TCP connections the process may carry.
    public var connectionLimit: Int { budget.connectionLimit }

    /// How many UDP sessions the process may carry from now on; nil is what the descriptors allow. Where there are
    /// more, none of them ends: new ones take the place of unassured ones as on a full stream, or are rejected.
    public func limitSessions(to limit: Int?) { budget.limitSessions(to: limit) }

    /// How many TCP connections it carries now.
    public var openConnections: Int { loads.reduce(0) { $0 + $1.connections.load(ordering: .relaxed) } }

    /// A worker that has not ended a turn for `time`, if there is one.
    public func stalledWorker(after time: Duration) -> Int? {
        let now = clock.nanoseconds
        return loads.firstIndex { load in
            let last = load.lastTurn.load(ordering: .relaxed)
            return now > last && now - last > time.clampedNanoseconds
        }
    }

    /// Ends the threads. Only after every stream is closed.
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

    /// Whether a dial to `address` would reach one of our listeners.
    func wouldLoop(_ transport: Transport, _ address: SocketAddress) -> Bool {
        ownListeners.withLock { $0.wouldLoop(transport, address) }
    }

    /// Tells every worker of listeners that came or went: of all of them at once.
    func announce(_ transport: Transport, _ listeners: [Listener], isListening: Bool) async {
        if listeners.isEmpty { return }
        // Without the interfaces' addresses a loop through one of them is not seen; a dial then ends at a limit.
        let interfaces = try? AddressLookup.interfaceAddresses()
        let snapshot = ownListeners.withLock { own in
            for listener in listeners {
                if isListening {
                    own.insert(transport, listener.address)
                } else {
                    own.remove(transport, listener.address)
                }
            }
            if let interfaces { own.interfaceAddresses = Set(interfaces) }
            return own
        }
        for worker in workers { await worker.setOwnListeners(snapshot) }
    }
}
