import CLinux
import Glibc
import Synchronization
import Threading

/// An actor that is driven by an ``EventLoopThread``: the thread enters it once a turn.
public protocol EventLoopDriver: Actor {
    /// One turn of the event loop. `mayWait` is false while jobs are queued.
    func turn(mayWait: Bool)
}

/// A thread that is an actor's executor: it runs the actor's jobs between the turns of its event loop. It is started
/// and stopped once, and guards that itself.
///
/// Jobs never run inside a turn, so a turn is atomic as seen from the actor. The queue is a mutex: it carries control
/// calls, never data.
public final class EventLoopThread: SerialExecutor {
    private struct Queue {
        var jobs: [UnownedJob] = []
        var isStopped = false
        var isDraining = false
    }

    /// The state of the thread; it only moves forward.
    private enum Stage {
        case created, running, stopped
    }

    private let stage = Lock(Stage.created)
    private let queue = Lock(Queue())
    private let wakeup: FileDescriptor
    private let isAwake = Atomic<Bool>(true)
    /// Whether the queue may hold something: written after a job was appended, cleared before the queue is emptied.
    private let hasJobs = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let threadIdentity = Atomic<UInt>(0)
    private let name: String

    /// A thread that is not running yet. `name` is what `ps -T` shows, 15 bytes of it.
    public init(name: String) throws(SystemError) {
        self.name = name
        wakeup = FileDescriptor(adopting: try check(weir_eventfd(), .eventFD))
    }

    var wakeupNumber: CInt { wakeup.rawValue }

    // MARK: Executor

    /// Queues a job and wakes the loop. After ``stop()`` took effect, the job runs on the caller's thread instead, so
    /// that no caller waits for a thread that is gone.
    public func enqueue(_ job: consuming ExecutorJob) {
        // `Unmanaged`: the runtime does not own the executor here, the job does: it may end, and the last reference
        // with it, as soon as it is in the queue.
        let reference = unsafe Unmanaged.passRetained(self)
        defer { unsafe reference.release() }
        let job = UnownedJob(job)
        let mustDrain = queue.withLock { queue in
            queue.jobs.append(job)
            guard queue.isStopped, !queue.isDraining else { return false }
            queue.isDraining = true
            return true
        }
        if mustDrain {
            drainAfterStop()
        } else {
            hasJobs.store(true, ordering: .sequentiallyConsistent)
            wake()
        }
    }

    /// Traps where the caller is not on this thread.
    public func checkIsolated() {
        precondition(threadIdentity.load(ordering: .relaxed) == currentThread(), "not on the event-loop thread")
    }

    /// Makes the loop turn soon, from any thread.
    public func wake() {
        // The exchange is sequentially consistent with the one in `run`: a caller that sees `true` here knows that the
        // loop will look at the queue again.
        if isAwake.exchange(true, ordering: .sequentiallyConsistent) == false {
            _ = weir_eventfd_signal(wakeup.rawValue)
        }
    }

    // MARK: Thread

    /// Starts the thread, once. The thread keeps `driver` alive until it ends. Any thread.
    /// - Returns: false where it was started or stopped before; then nothing happens.
    @discardableResult
    public func start(driving driver: some EventLoopDriver) throws(SystemError) -> Bool {
        let isFirst = stage.withLock { stage in
            defer { if stage == .created { stage = .running } }
            return stage == .created
        }
        guard isFirst else { return false }
        do throws(SystemError) {
            try Thread.start(name: name) { [self] in
                threadIdentity.store(currentThread(), ordering: .relaxed)
                run(driver)
            }
        } catch {
            stage.withLock { $0 = .stopped }
            throw error
        }
        return true
    }

    /// Starts threads by calling `start` for each index. Where one cannot be started, those before it end again.
    package static func startAll(
        _ threads: [EventLoopThread], _ start: (Int) throws(SystemError) -> Void
    ) throws(SystemError) {
        for index in threads.indices {
            do throws(SystemError) {
                try start(index)
            } catch {
                for thread in threads[..<index] { thread.stop() }
                throw error
            }
        }
    }

    /// Lets the thread end after the turn it is in, from any thread. Does nothing where it does not run.
    public func stop() {
        if leaveRunning() { end() }
    }

    /// Lets the thread end once `closing` has returned, which closes what the driver has open. Does nothing, and does
    /// not call it, where the thread does not run or another call has begun to stop it. Any thread.
    public func stop(after closing: () async -> Void) async {
        guard leaveRunning() else { return }
        await closing()
        end()
    }

    /// Whether this call is the one that stops the thread.
    private func leaveRunning() -> Bool {
        stage.withLock { stage in
            defer { stage = .stopped }
            return stage == .running
        }
    }

    private func end() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        isAwake.store(true, ordering: .sequentiallyConsistent)
        _ = weir_eventfd_signal(wakeup.rawValue)
    }

    private func run(_ driver: some EventLoopDriver) {
        while !isStopping.load(ordering: .relaxed) {
            runJobs()
            // Entering the actor costs an allocation and its checks: stay inside until there is a job to run.
            driver.assumeIsolated { driver in
                repeat {
                    // From here on a new job writes to the eventfd, which ends the wait. A job that came before is
                    // seen by the load below: `enqueue` stores `hasJobs` first and exchanges `isAwake` then.
                    // An exchange, so that what others published before they saw a thread awake is seen in this turn.
                    _ = isAwake.exchange(false, ordering: .sequentiallyConsistent)
                    driver.turn(mayWait: !hasJobs.load(ordering: .sequentiallyConsistent))
                    isAwake.store(true, ordering: .sequentiallyConsistent)
                } while !hasJobs.load(ordering: .relaxed) && !isStopping.load(ordering: .relaxed)
            }
        }
        runJobs()
        queue.withLock { queue in
            queue.isStopped = true
            queue.isDraining = true
        }
        drainAfterStop()
    }

    private func runJobs() {
        guard hasJobs.exchange(false, ordering: .sequentiallyConsistent) else { return }
        let jobs = queue.withLock { queue in
            defer { queue.jobs = [] }
            return queue.jobs
        }
        for job in jobs { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    /// Runs what is queued on this thread, one thread at a time.
    private func drainAfterStop() {
        while true {
            let job: UnownedJob? = queue.withLock { queue in
                if queue.jobs.isEmpty {
                    queue.isDraining = false
                    return nil
                }
                return queue.jobs.removeFirst()
            }
            guard let job else { return }
            threadIdentity.store(currentThread(), ordering: .relaxed)
            unsafe job.runSynchronously(on: asUnownedSerialExecutor())
        }
    }
}

private func currentThread() -> UInt { UInt(pthread_self()) }
