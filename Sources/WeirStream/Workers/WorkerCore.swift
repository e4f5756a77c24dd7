import LinuxIO

/// The state that a worker's connections and sessions share: its event loop, its pools. Confined to the worker's
/// thread; other threads call the ``Worker`` actor.
final class WorkerCore {
    let index: Int
    let loop: EventLoop
    let budget: DescriptorBudget
    let load: WorkerLoad
    let relayResources: RelayResources
    let handshakes: HandshakeQueue
    private let pipes: PipePool
    let inbox = DatagramInbox(capacity: WorkerCore.datagramsPerBatch)
    let outbox = DatagramOutbox(capacity: WorkerCore.datagramsPerBatch)
    /// The session of each datagram in the inbox, and the sessions that have datagrams there. Empty between batches.
    let inboxOrder = InboxOrder(capacity: WorkerCore.datagramsPerBatch)
    var sessionsInBatch: ContiguousArray<UDPSession> = []
    /// The UDP sessions of all routes in the order in which they make room at a limit of the process.
    var evictionOrder = EvictionOrder<UDPSession>()
    private var isFreeingPort = false
    /// The sources that the worker's UDP streams have denied.
    var denied = DeniedSources()
    /// The peers of the worker's UDP streams that have sent their one PROXY header.
    var headeredPeers = HeaderedPeers()
    var ownListeners = OwnListeners()
    /// The worker's parts of routes and listeners, by their numbers.
    var routes: [UInt32: any WorkerRoute] = [:]
    var listeners: [UInt32: any WorkerListener] = [:]
    private let loads: [WorkerLoad]
    private let threads: [EventLoopThread]
    private var nextIdentifier: UInt64 = 0
    private var policy: BatchPolicy
    /// Lets datagrams gather under a flood. Listeners and sessions report what they receive.
    // Exclusivity is not checked at run time on what every turn and every receive touches: one thread owns the worker,
    // and no access calls anything that could come back here.
    @safe @exclusivity(unchecked) var moderation: DatagramModeration
    /// Whether the process uses the default scheduling policy. The first turn reads it, because that runs on the
    /// worker's own thread.
    private var mayChoosePolicy: Bool?
    private var pausedListeners: [EventToken] = []
    /// The bytes in the queues of all sessions that are not ready.
    var queuedDatagramBytes = 0
    static let maxQueuedDatagramBytes = 16 << 20
    /// The pre-dial hooks of this worker that have not ended.
    var preDialsRunning = 0

    /// The connections that ended in this period, and in the previous one.
    private var endings = 0
    private var lastEndings = 0
    private var endingsSince: UInt64 = 0
    private static let endingsPeriodNanoseconds: UInt64 = 1_000_000_000
    /// The longest time between two turns of a worker that is not blocked: an idle worker turns once a second.
    private static let maxTurnNanoseconds: UInt64 = 2_000_000_000

    static let datagramsPerBatch = 64
    static let batchesPerTurn = 4
    static let acceptsPerTurn = 64
    static let maxPreDials = 1024

    init(
        index: Int, threads: [EventLoopThread], loads: [WorkerLoad], budget: DescriptorBudget, bufferMemory: Int,
        clock: MonotonicClock
    ) throws(SystemError) {
        self.index = index
        self.threads = threads
        self.loads = loads
        self.budget = budget
        load = loads[index]
        loop = try EventLoop(wokenBy: threads[index], clock: clock)
        handshakes = HandshakeQueue(loop: loop, clock: clock)
        policy = BatchPolicy(now: loop.now)
        moderation = DatagramModeration(now: loop.now)
        relayResources = RelayResources(bufferMemory: bufferMemory, budget: budget)
        pipes = relayResources.pipes
        load.lastTurn.store(loop.clockTime, ordering: .relaxed)
        sessionsInBatch.reserveCapacity(Self.datagramsPerBatch)
    }

    /// Runs one turn of the loop.
    /// - Returns: the time of its work without the wait, in nanoseconds.
    func turn(mayWait: Bool) -> UInt64 {
        // Before the waits: a worker that pushes after this sees a sleeping thread, and wakes it.
        takeHandoffs()
        let delay = moderation.delayNanoseconds
        if mayWait, delay > 0 { Thread.sleepBriefly(nanoseconds: delay) }
        let busy = loop.turn(mayWait: mayWait)
        if moderation.isWatching { moderation.turned(events: loop.eventCount, now: loop.now) }
        load.lastTurn.store(loop.clockTime, ordering: .relaxed)
        pipes.trim(now: loop.now)
        if let isBatch = policy.note(busy: busy, now: loop.now) { schedule(asBatch: isBatch) }
        return busy
    }

    /// Sets the scheduling policy, unless the operator chose one for the process (chrt(1), `CPUSchedulingPolicy=` of
    /// systemd.exec(5)).
    private func schedule(asBatch isBatch: Bool) {
        let mayChoose = mayChoosePolicy ?? Thread.isScheduledNormally
        mayChoosePolicy = mayChoose
        if mayChoose { Thread.scheduleAsBatch(isBatch) }
    }

    /// Returns an identifier for a connection or session that is unique in this process.
    func makeIdentifier() -> UInt64 {
        nextIdentifier += 1
        return UInt64(index + 1) << 48 | nextIdentifier
    }

    // MARK: Placement

    /// Returns the worker for the next connection: the one with the fewest connections. In two cases it is this worker.
    ///
    /// - Its connections exceed the fewest by at most an eighth: a handoff costs three system calls, and the difference
    ///   does not grow.
    /// - Its connections live for less than a second, and every worker has its own listening socket (`sockets`): they
    ///   end before a difference matters.
    func leastLoadedWorker(accepting sockets: Int) -> Int {
        let own = load.connections.load(ordering: .relaxed)
        if isChurning(own), sockets == loads.count { return index }
        var best = index
        var fewest = own
        for other in loads.indices where other != index {
            let count = loads[other].connections.load(ordering: .relaxed)
            if count < fewest, !isStalled(loads[other]) {
                fewest = count
                best = other
            }
        }
        return own > fewest + fewest / 8 ? best : index
    }

    /// Whether a worker has not turned for longer than an idle worker sleeps, because a hook blocks it.
    private func isStalled(_ load: WorkerLoad) -> Bool {
        let lastTurn = load.lastTurn.load(ordering: .relaxed)
        return loop.clockTime > lastTurn && loop.clockTime - lastTurn > Self.maxTurnNanoseconds
    }

    /// Gives an accepted connection to another worker. Returns false where the worker's queue is full.
    func handOver(_ handoff: Handoff, to worker: Int) -> Bool {
        // Count first: after the push, the other worker may take the connection before this thread continues.
        loads[worker].connections.add(1, ordering: .relaxed)
        guard loads[worker].handoffs.push(handoff) else {
            loads[worker].connections.subtract(1, ordering: .relaxed)
            return false
        }
        threads[worker].wake()
        return true
    }

    /// Takes the connections that other workers accepted for this one.
    func takeHandoffs() {
        while let handoff = load.handoffs.pop() {
            load.connections.subtract(1, ordering: .relaxed)
            if let listener = listeners[handoff.listener] {
                listener.take(handoff)
            } else {
                // Not reached, because a listener waits for its workers before it ends; close the descriptor all the
                // same.
                FileDescriptor(adopting: handoff.descriptor).close()
                budget.releaseConnection()
            }
        }
    }

    // MARK: Local ports

    /// Ends a session of any route to free its local port, because the kernel has none left for the session of `token`.
    /// The outbox must be empty. Returns false where no session makes room.
    func freeLocalPort(for token: EventToken) -> Bool {
        // The end of a session sends its datagrams, which may begin a dial of its own: that one frees no port.
        guard !isFreeingPort, let needy = loop.handler(of: token) as? UDPSession else { return false }
        guard let victim = evictionOrder.victim(for: needy.network), victim !== needy else { return false }
        isFreeingPort = true
        victim.evict()
        isFreeingPort = false
        return true
    }

    // MARK: Ended connections

    /// Defers `token`'s owner once, when a connection of this worker ends.
    func resumeWhenConnectionEnds(_ token: EventToken) {
        pausedListeners.append(token)
    }

    /// Whether connections live for less than a second: more end per second than are open (Little's law).
    private func isChurning(_ open: Int) -> Bool {
        if loop.now - endingsSince >= Self.endingsPeriodNanoseconds {
            // A count of more than two periods is too old.
            lastEndings = loop.now - endingsSince < 2 * Self.endingsPeriodNanoseconds ? endings : 0
            endings = 0
            endingsSince = loop.now
        }
        return lastEndings > open
    }

    func connectionEnded() {
        endings += 1
        load.connections.subtract(1, ordering: .relaxed)
        connectionGivenUp()
    }

    /// Returns the descriptors of a client that has ended, and wakes paused listeners.
    func connectionGivenUp() {
        budget.releaseConnection()
        wake(&pausedListeners)
    }

    private func wake(_ tokens: inout [EventToken]) {
        if tokens.isEmpty { return }
        for token in tokens { loop.defer(token) }
        tokens.removeAll(keepingCapacity: true)
    }
}
