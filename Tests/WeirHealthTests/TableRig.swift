import LinuxIO
import NetworkTypes
import Synchronization
import TestSupport

@testable import WeirHealth

/// A table of checks whose loop turns when the test says so, and whose clock the test moves.
final class TableRig {
    private final class Clock: Sendable {
        let nanoseconds = Atomic<UInt64>(5_000_000_000)
    }

    let observer = RecordingObserver()
    let table: CheckTable
    private let clock = Clock()
    private let thread: EventLoopThread
    private let loop: EventLoop

    init(maxInFlight: Int = 64) throws {
        let time = clock
        let source = MonotonicClock { time.nanoseconds.load(ordering: .relaxed) }
        thread = try EventLoopThread(name: "test")
        loop = try EventLoop(wokenBy: thread, clock: source)
        table = CheckTable(loop, observer: observer, maxInFlight: maxInFlight, clock: source)
    }

    deinit { table.close() }

    func turn() { loop.turn(mayWait: false) }

    /// Lets time pass, ten milliseconds a turn.
    func pass(milliseconds: UInt64) {
        for _ in 0..<milliseconds / 10 {
            clock.nanoseconds.wrappingAdd(10_000_000, ordering: .relaxed)
            turn()
        }
    }

    /// Turns until `condition` holds, without a step of the clock.
    func wait(for what: String, _ condition: () -> Bool) throws {
        try waitUntil(what, deadline: .seconds(30)) {
            turn()
            return condition()
        }
    }

    /// Lets time pass until `count` results are there in all. Attempts under way get real time to end.
    func check(count: Int) throws {
        var steps = 0
        while observer.checks.count < count {
            guard steps < 3_000 else {
                throw DeadlineExceeded(description: "\(count) results within 30 s of its clock")
            }
            steps += 1
            pass(milliseconds: 10)
            if table.counts.inFlight > 0 {
                let before = observer.checks.count
                try wait(for: "an attempt ends") {
                    table.counts.inFlight == 0 || observer.checks.count > before
                }
            }
        }
    }

    var now: UInt64 { clock.nanoseconds.load(ordering: .relaxed) }
}

extension HealthTarget {
    /// A target on this machine.
    static func local(
        _ port: UInt16, _ check: HealthCheck = HealthCheck(.tcp), _ schedule: CheckSchedule = CheckSchedule()
    ) -> HealthTarget {
        HealthTarget(address: SocketAddress(.loopbackIPv4, port: port), check: check, schedule: schedule)
    }
}
