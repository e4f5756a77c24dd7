import LinuxIO

/// The pipes that a worker's bulk transfers go through. A connection has one only while bytes are in it, so a few serve
/// many; one that ends with bytes in it is closed and never used again.
final class PipePool {
    private let budget: DescriptorBudget
    private var idle: [Pipe] = []
    private var open = 0
    /// Whether a pipe was wanted since the last look.
    private var wasUsed = false
    private var lastLook: UInt64 = 0
    private static let period: UInt64 = 1_000_000_000

    /// What one pipe is asked to hold, in bytes.
    static let pipeSize = 256 << 10
    /// At most so many on a worker; further transfers are copied.
    static let mostPipes = 256

    init(budget: DescriptorBudget) {
        self.budget = budget
    }

    deinit {
        for _ in 0..<open { budget.releasePipe() }
    }

    /// An empty pipe; nil where no more may be opened now.
    func acquire() -> Pipe? {
        wasUsed = true
        if let pipe = idle.popLast() { return pipe }
        guard open < Self.mostPipes, budget.acquirePipe() else { return nil }
        do {
            let pipe = try Pipe(capacity: Self.pipeSize)
            // Beyond what one user may have, pipes hold two pages (pipe(7)): copying is quicker.
            guard pipe.capacity >= Self.pipeSize / 4 else {
                budget.releasePipe()
                return nil
            }
            open += 1
            return pipe
        } catch {
            // Out of descriptors or of memory for pipes: copying needs neither.
            budget.releasePipe()
            return nil
        }
    }

    /// Once a turn: closes idle pipes where none was wanted for a while.
    func trim(now: UInt64) {
        guard now - lastLook >= Self.period else { return }
        lastLook = now
        if !wasUsed, !idle.isEmpty {
            open -= idle.count
            for _ in idle { budget.releasePipe() }
            idle.removeAll()
        }
        wasUsed = false
    }

    /// Takes a pipe back. One with bytes in it is closed, and so is one whose descriptors others may need.
    func release(_ pipe: Pipe) {
        if pipe.count == 0, !budget.isTight {
            idle.append(pipe)
        } else {
            open -= 1
            budget.releasePipe()
        }
    }
}
