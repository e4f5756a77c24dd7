import LinuxIO

/// The pipes of a worker's bulk transfers (splice(2)). A direction holds a pipe only while it has bytes, so that a few
/// pipes serve many connections. A pipe that is released with bytes is closed.
final class PipePool {
    private let budget: DescriptorBudget
    private var idle: [Pipe] = []
    private var open = 0
    /// Whether a pipe was acquired since the last trim.
    private var wasUsed = false
    private var lastTrim: UInt64 = 0
    private static let trimIntervalNanoseconds: UInt64 = 1_000_000_000

    /// The requested capacity of a pipe in bytes.
    static let pipeSize = 256 << 10
    /// The limit of pipes on a worker; further transfers are copied.
    static let maxPipes = 256

    init(budget: DescriptorBudget) {
        self.budget = budget
    }

    deinit {
        for _ in 0..<open { budget.releasePipe() }
    }

    /// Returns an empty pipe; nil at a limit.
    func acquire() -> Pipe? {
        wasUsed = true
        if let pipe = idle.popLast() { return pipe }
        guard open < Self.maxPipes, budget.acquirePipe() else { return nil }
        do {
            let pipe = try Pipe(capacity: Self.pipeSize)
            // Beyond the limit of one user, a pipe has two pages (pipe(7)): copying is faster.
            guard pipe.capacity >= Self.pipeSize / 4 else {
                budget.releasePipe()
                return nil
            }
            open += 1
            return pipe
        } catch {
            // No descriptor, or no memory for a pipe: copying needs neither.
            budget.releasePipe()
            return nil
        }
    }

    /// Closes the idle pipes where none was acquired for an interval. Call it once per turn.
    func trim(now: UInt64) {
        guard now - lastTrim >= Self.trimIntervalNanoseconds else { return }
        lastTrim = now
        if !wasUsed, !idle.isEmpty {
            open -= idle.count
            for _ in idle { budget.releasePipe() }
            idle.removeAll()
        }
        wasUsed = false
    }

    /// Takes a pipe back. Closes it where it has bytes, or where descriptors are short.
    func release(_ pipe: Pipe) {
        if pipe.count == 0, !budget.isTight {
            idle.append(pipe)
        } else {
            open -= 1
            budget.releasePipe()
        }
    }
}
