import Synchronization
import Testing
import Threading

@Suite(.timeLimit(.minutes(1))) struct TurnQueueTests {
    /// How many callers have their turn now, and the most there ever were.
    private final class Callers: Sendable {
        let inside = Atomic<Int>(0)
        let most = Atomic<Int>(0)
    }

    @Test func `one caller at a time has its turn, whatever it awaits in it`() async {
        let queue = TurnQueue()
        let callers = Callers()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await queue.enter()
                    let now = callers.inside.add(1, ordering: .relaxed).newValue
                    _ = callers.most.max(now, ordering: .relaxed)
                    await Task.yield()
                    callers.inside.subtract(1, ordering: .relaxed)
                    queue.leave()
                }
            }
        }
        #expect(callers.most.load(ordering: .relaxed) == 1)
        #expect(callers.inside.load(ordering: .relaxed) == 0)
    }

    @Test func `a turn that was left is there for the next, also where no caller waited`() async {
        let queue = TurnQueue()
        for _ in 0..<3 {
            await queue.enter()
            queue.leave()
        }
    }
}
