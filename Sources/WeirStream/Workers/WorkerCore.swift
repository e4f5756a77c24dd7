import LinuxIO

/// Everything a worker's connections and sessions share: its loop, its pools. Confined to the
/// worker's thread; the ``Worker`` actor is the way in.
final class WorkerCore {
    let index: Int
    let loop: EventLoop
    let budget: DescriptorBudget
    let load: WorkerLoad
    let relayResources: RelayResources
    private let pipes: PipePool
    let inbox = DatagramInbox(capacity: WorkerCore.datagramsPerBatch)
    let outbox = DatagramOutbox(capacity: WorkerCore.datagramsPerBatch)
    /// Which datagrams of the inbox belong to which session, and the sessions that have some. Empty between batches.
    let inboxOrder = InboxOrder(capacity: WorkerCore.datagramsPerBatch)
    var sessionsInBatch: ContiguousArray<UDPSession> = []
    /// Whom the worker's UDP streams have turned away.
    var denied = DeniedSources()
    var ownListeners = OwnListeners()
    /// The worker's parts of routes and listeners, by their numbers.
    var routes: [UInt32: any WorkerRoute] = [:]
    var listeners: [UInt32: any WorkerListener] = [:]
    private let loads: [WorkerLoad]
    private let threads: [EventLoopThread]
    private var nextIdentifier: UInt64 = 0
    private var policy: BatchPolicy
    /// Known from the first turn on, which is the first thing on the worker's own thread.
    private var mayChoosePolicy: Bool?
    private var pausedListeners: [EventToken] = []
    /// Bytes in the queues of sessions that are not ready, over all of them.
    var queuedDatagramBytes = 0
    static let mostQueuedDatagramBytes = 16 << 20
    /// Pre-dial hooks of this worker that have not ended.
    var preDialsRunning = 0

    /// Connections that ended in this period and in the one before.
    private var endings = 0
    private var lastEndings = 0
    private var endingsSince: UInt64 = 0
    private static let endingsPeriod: UInt64 = 1_000_000_000
    /// An idle worker turns once a second.
    private static let longestTurn: UInt64 = 2_000_000_000

    static let datagramsPerBatch = 64
    static let batchesPerTurn = 4
    static let acceptsPerTurn = 64
    static let mostPreDials = 1024

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
        policy = BatchPolicy(now: loop.now)
        relayResources = RelayResources(bufferMemory: bufferMemory, budget: budget)
        pipes = relayResources.pipes
        load.lastTurn.store(loop.now, ordering: .relaxed)
        sessionsInBatch.reserveCapacity(Self.datagramsPerBatch)
    }

    /// One turn of the loop.
    /// - Returns: nanoseconds of work.
    func turn(mayWait: Bool) -> UInt64 {
        // Before the wait: whoever pushes after this sees a sleeping thread, and wakes it.
        takeHandoffs()
        let busy = loop.turn(mayWait: mayWait)
        load.lastTurn.store(loop.now, ordering: .relaxed)
        pipes.trim(now: loop.now)
        if let isBatch = policy.note(busy: busy, now: loop.now) { schedule(asBatch: isBatch) }
        return busy
    }

    /// Only where nobody chose a policy for the process (chrt(1), CPUSchedulingPolicy= of systemd).
    private func schedule(asBatch isBatch: Bool) {
        let mayChoose = mayChoosePolicy ?? Thread.isScheduledNormally
        mayChoosePolicy = mayChoose
        if mayChoose { Thread.scheduleAsBatch(isBatch) }
    }

    /// A number for a connection or session that no other of this process has.
    func makeIdentifier() -> UInt64 {
        nextIdentifier += 1
        return UInt64(index + 1) << 48 | nextIdentifier
    }

    // MARK: Placement

    /// The worker that should carry the next connection: the one with the fewest. This one also where it has an eighth
    /// more than that, because handing over costs three system calls, and the difference does not grow; and as long as
    /// its connections live for less than a second and every worker accepts for itself (`sockets` of the listener), because
    /// they are gone before a difference matters.
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

    /// Whether a worker has not turned for longer than an idle one sleeps: a hook blocks it.
    private func isStalled(_ load: WorkerLoad) -> Bool {
        let lastTurn = load.lastTurn.load(ordering: .relaxed)
        return loop.now > lastTurn && loop.now - lastTurn > Self.longestTurn
    }

    /// Gives an accepted connection to another worker. False where its queue is full.
    func handOver(_ handoff: Handoff, to worker: Int) -> Bool {
        // Counted first: once it is pushed the other worker may take it, and place the next one, before we go on.
        loads[worker].connections.add(1, ordering: .relaxed)
        guard loads[worker].handoffs.push(handoff) else {
            loads[worker].connections.subtract(1, ordering: .relaxed)
            return false
        }
        threads[worker].wake()
        return true
    }

    /// Takes what other workers accepted for this one.
    func takeHandoffs() {
        while let handoff = load.handoffs.pop() {
            load.connections.subtract(1, ordering: .relaxed)
            if let listener = listeners[handoff.listener] {
                listener.take(handoff)
            } else {
                // The listener ended meanwhile. It waits for its workers, so this is not reached; close all the same.
                FileDescriptor(adopting: handoff.descriptor).close()
                budget.releaseConnection()
            }
        }
    }

    // MARK: Waiting for something to be free

    /// Calls `token`'s owner when a connection of this worker ends.
    func resumeWhenConnectionEnds(_ token: EventToken) {
        pausedListeners.append(token)
    }

    /// Whether connections live for less than a second: as many end in one as are open (Little's law).
    private func isChurning(_ open: Int) -> Bool {
        if loop.now - endingsSince >= Self.endingsPeriod {
            // After a silent period the number says nothing any more.
            lastEndings = loop.now - endingsSince < 2 * Self.endingsPeriod ? endings : 0
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

    /// A client that no connection was made for is gone, and its descriptors are free.
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
