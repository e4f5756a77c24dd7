import CLinux
import Glibc

/// A plain thread, for work that blocks or that drives an event loop.
public enum Thread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Whether the calling thread has the default scheduling policy (`SCHED_OTHER`, sched(7)).
    public static var isScheduledNormally: Bool { weir_scheduling_policy() == 0 }

    /// Whether the calling thread is under `SCHED_BATCH` (sched(7)).
    public static var isScheduledAsBatch: Bool { weir_scheduling_policy() == 3 }

    /// Moves the calling thread to `SCHED_BATCH` (sched(7)), or back to the default policy. A batch thread that wakes
    /// does not preempt the running thread, so that more work has arrived when it runs. Returns whether the kernel
    /// accepted it.
    @discardableResult
    public static func scheduleAsBatch(_ isOn: Bool) -> Bool { weir_set_batch_scheduling(isOn ? 1 : 0) == 0 }

    /// Blocks the calling thread for a few microseconds (clock_nanosleep(2)); a signal ends it early.
    public static func sleepBriefly(nanoseconds: UInt64) { weir_sleep_briefly(nanoseconds) }

    /// Adds to the niceness of the calling thread, up to 19 (setpriority(2)). Best effort: a failure is ignored.
    public static func lowerPriority(by niceness: Int) { _ = weir_add_thread_nice(CInt(clamping: niceness)) }

    /// Starts a detached thread (pthread_create(3)) with every signal blocked, so that signals go to the threads that
    /// wait for them.
    ///
    /// - Parameter name: shown by `ps -T`, cut to 15 bytes (pthread_setname_np(3)); nil keeps the starting thread's
    ///   name.
    public static func start(
        name: String? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        // Proof: the thread takes the reference back; where there is no thread, it is released here.
        let box = unsafe Unmanaged.passRetained(
            Body {
                if let name { unsafe weir_name_thread(String(decoding: name.utf8.prefix(15), as: UTF8.self)) }
                body()
            })
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, &attributes,
            { raw in
                // Proof: the one reference that was retained for it.
                guard let raw = unsafe raw else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        if code != 0 {
            unsafe box.release()
            throw SystemError(.thread, code)
        }
    }
}
