import LinuxIO

/// Starts the programs of hooks and waits for them, on a thread of its own: neither a worker nor a thread of Swift's
/// pool ever waits for a process. The kernel says through a descriptor for each when it has ended.
actor ProgramRunner: EventLoopDriver {
    private nonisolated let thread: EventLoopThread
    private let loop: EventLoop
    private let table: ProgramTable
    private var lastNumber: UInt64 = 0
    private var whenEmpty: [CheckedContinuation<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    init() throws(SystemError) {
        thread = try EventLoopThread(name: "weir-programs")
        loop = try EventLoop(wokenBy: thread)
        table = ProgramTable(loop)
    }

    /// Starts the thread; once.
    nonisolated func start() throws(SystemError) {
        try thread.start(driving: self)
    }

    /// Runs a program when it is its turn. Cancellation of the calling task kills the program.
    func run(_ request: ProgramRequest) async -> ProgramResult {
        lastNumber += 1
        let number = lastNumber
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                table.begin(number, request) { result in continuation.resume(returning: result) }
            }
        } onCancel: {
            // Behind the beginning in any case: that is under way on the actor.
            Task { await self.cancel(number) }
        }
    }

    /// How many programs run, and how many requests wait.
    var counts: ProgramTable.Counts { table.counts }

    private func cancel(_ number: UInt64) {
        table.cancel(number)
    }

    /// Kills what runs, waits until it is gone, and ends the thread.
    nonisolated func stop() async {
        await thread.stop { await close() }
    }

    private func close() async {
        table.close()
        guard table.counts.running > 0 else { return }
        await withCheckedContinuation { whenEmpty.append($0) }
    }

    /// One turn of the loop; called by the thread.
    func turn(mayWait: Bool) {
        loop.turn(mayWait: mayWait)
        if !whenEmpty.isEmpty, table.counts.running == 0 {
            let waiting = whenEmpty
            whenEmpty = []
            for continuation in waiting { continuation.resume() }
        }
    }
}
