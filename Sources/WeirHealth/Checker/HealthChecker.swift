import LinuxIO

/// Checks members on a thread of its own: no check ever runs on a proxy's worker, and a busy proxy delays none.
///
/// ```swift
/// let checker = try HealthChecker(observer: observer)
/// try checker.start()
/// await checker.set([HealthSubscription(target, token: 1)])
/// await checker.stop()
/// ```
public actor HealthChecker: EventLoopDriver {
    /// The checks in flight that are allowed by default: 1,000 members that all swallow packets, checked every 5 s for
    /// 2 s each, keep 400 in flight; with this bound each of them is still checked every 8 s.
    public static let usualMaxInFlight = 256

    private nonisolated let thread: EventLoopThread
    private let loop: EventLoop
    private let table: CheckTable

    /// The checker's thread.
    @safe public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    /// A checker that does not run yet.
    /// - Parameters:
    ///   - observer: hears of all results, on the checker's thread.
    ///   - maxInFlight: the bound on checks that run at once, each of which takes one descriptor. Further ones wait
    ///     their turn, and each member waits at most once.
    ///   - clock: the source of time; tests inject another one.
    /// - Throws: the call that failed for want of a descriptor. The checker keeps two.
    public init(
        observer: any HealthObserver, maxInFlight: Int = usualMaxInFlight, clock: MonotonicClock = .system
    ) throws(SystemError) {
        thread = try EventLoopThread(name: "weir-health")
        loop = try EventLoop(wokenBy: thread, clock: clock)
        table = CheckTable(loop, observer: observer, maxInFlight: maxInFlight, clock: clock)
    }

    /// Starts the thread; once. Calls of the other functions wait for it.
    public nonisolated func start() throws(SystemError) {
        try thread.start(driving: self)
    }

    /// Replaces all subscriptions. Targets that stay go on undisturbed; those that are gone are forgotten, a check that
    /// is under way included, and nothing more is told of them. New ones are checked within a second.
    ///
    /// A token whose target is another one than before keeps the state that its owner was told until a check of the new
    /// target decides. A new subscription to a target that is down is told so at once.
    public func set(_ subscriptions: [HealthSubscription]) {
        table.set(subscriptions)
    }

    /// Changes the bound on checks that run at once; at least 1. Those under way end as they would.
    public func setMaxInFlight(_ count: Int) {
        table.setMaxInFlight(count)
    }

    /// The numbers of targets, of checks in flight, and of those that wait for their turn.
    public var counts: CheckCounts { table.counts }

    /// Ends all checks without a result, and the thread. Does nothing where it does not run.
    public nonisolated func stop() async {
        await thread.stop { await close() }
    }

    private func close() {
        table.close()
    }

    /// One turn of the loop; called by the thread.
    public func turn(mayWait: Bool) {
        loop.turn(mayWait: mayWait)
    }
}

/// The size of a ``HealthChecker``'s work.
public struct CheckCounts: Hashable, Sendable {
    /// Targets, each of which has one check.
    public let targets: Int
    /// Checks under way.
    public let inFlight: Int
    /// Checks that are due and wait because too many are under way.
    public let waiting: Int
}
