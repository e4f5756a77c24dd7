import Synchronization
import Testing
import Threading

@Suite(.timeLimit(.minutes(1))) struct LockTests {
    private struct Refusal: Error, Equatable {}

    /// A task cannot capture what cannot be copied.
    private final class Sum: Sendable {
        let value = Lock(0)
    }

    @Test func `no addition under a lock is lost`() async {
        let sum = Sum()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 { sum.value.withLock { $0 += 1 } }
                }
            }
        }
        #expect(sum.value.withLock { $0 } == 8_000)
    }

    @Test func `what a body throws comes out with its type, and what it did stays`() {
        let value = Lock(1)
        do throws(Refusal) {
            try value.withLock { value throws(Refusal) in
                value = 2
                throw Refusal()
            }
            Issue.record("nothing was thrown")
        } catch {
            #expect(error == Refusal())
        }
        #expect(value.withLock { $0 } == 2)
    }

    @Test(arguments: [
        (Duration.zero, UInt64(0)), (.nanoseconds(1), 1), (.milliseconds(1_500), 1_500_000_000), (.seconds(-1), 0),
        (.nanoseconds(-1), 0), (.seconds(Int64.max), .max), (.seconds(18_446_744_073), 18_446_744_073_000_000_000),
        (.seconds(18_446_744_074), .max),
    ])
    func `a duration has so many nanoseconds, none where it is negative, and no more than 64 bits hold`(
        duration: Duration, nanoseconds: UInt64
    ) {
        #expect(duration.clampedNanoseconds == nanoseconds)
    }
}
