import LinuxIO
import Testing

import struct TestSupport.SeededGenerator
import func TestSupport.fuzzRounds

@Suite(.timeLimit(.minutes(1))) struct TimerWheelTests {
    private static let tick = TimerWheel.tickNanoseconds
    private static let minute: UInt64 = 60_000_000_000
    private static let day: UInt64 = 86_400_000_000_000

    /// A wheel beside a plain list of the armed timers.
    private struct Checked: ~Copyable {
        var wheel: TimerWheel
        var now: UInt64
        var armed: [UInt64: (deadline: UInt64, timer: TimerWheel.Identifier)] = [:]
        var nextPayload: UInt64 = 0
        var problems: [String] = []
        var fired = 0

        init(at now: UInt64) {
            wheel = TimerWheel(nanoseconds: now)
            self.now = now
        }

        mutating func schedule(after delay: UInt64) {
            nextPayload += 1
            armed[nextPayload] = (now + delay, wheel.schedule(at: now + delay, payload: nextPayload))
        }

        mutating func cancelAny(_ random: inout SeededGenerator) {
            guard let (payload, entry) = armed.randomElement(using: &random) else { return }
            if !wheel.cancel(entry.timer) { problems.append("an armed timer was not there") }
            if wheel.cancel(entry.timer) { problems.append("a timer was canceled twice") }
            armed[payload] = nil
        }

        /// Moves on; `allowedLateness` counts from the time that is asked for, not from the deadline.
        mutating func advance(to time: UInt64, allowedLateness: UInt64? = nil) {
            now = time
            var due: [UInt64] = []
            wheel.advance(to: time) { payload, _ in due.append(payload) }
            for payload in due {
                guard let entry = armed.removeValue(forKey: payload) else {
                    problems.append("timer \(payload) fired, but was not armed")
                    continue
                }
                fired += 1
                if entry.deadline > time { problems.append("early by \(entry.deadline - time)") }
                if let allowedLateness, time - entry.deadline > allowedLateness {
                    problems.append("late by \(time - entry.deadline)")
                }
                if wheel.cancel(entry.timer) { problems.append("a fired timer was still armed") }
            }
            // Whatever is a whole tick overdue must have fired.
            for (_, entry) in armed where entry.deadline + TimerWheel.tickNanoseconds <= time {
                problems.append("still armed \(time - entry.deadline) after its deadline")
            }
            checkNextDeadline()
        }

        mutating func checkNextDeadline() {
            if wheel.count != armed.count { problems.append("counts \(wheel.count), not \(armed.count)") }
            guard let earliest = armed.values.map(\.deadline).min() else {
                if wheel.nextDeadline != nil { problems.append("a deadline without a timer") }
                return
            }
            guard let next = wheel.nextDeadline else {
                problems.append("no deadline with timers armed")
                return
            }
            // Ticks are whole milliseconds: a deadline inside one is met at its end.
            if next > earliest + TimerWheel.tickNanoseconds {
                problems.append("looks again \(next - earliest) too late")
            }
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `random timers over days agree with a plain list`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var checked = Checked(at: seed * 123_456_789_012)
        let spans: [UInt64] = [10 * Self.tick, 300 * Self.tick, Self.minute, 20 * Self.minute, Self.day, 60 * Self.day]
        for _ in 0..<fuzzRounds(3_000) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                checked.schedule(after: .random(in: 0...(spans.randomElement(using: &random) ?? 1), using: &random))
            case 5..<7:
                checked.cancelAny(&random)
            case 7:
                // As a loop does: to the wheel's next deadline.
                checked.advance(to: max(checked.now, checked.wheel.nextDeadline ?? checked.now))
            default:
                let span = spans.randomElement(using: &random) ?? 1
                checked.advance(to: checked.now + .random(in: 0...span, using: &random))
            }
            checked.checkNextDeadline()
        }
        checked.advance(to: checked.now + 61 * Self.day)
        #expect(checked.problems.prefix(5) == [])
        expectTrue(checked.wheel.count == 0)
        #expect(checked.fired > 500)
    }

    @Test(arguments: [0, 1, 255, 256, 65_535, 65_536, 16_777_215, 16_777_216] as [UInt64])
    func `advanced tick by tick, a timer is never early and at most a tick late`(start: UInt64) {
        var checked = Checked(at: start * Self.tick)
        var random = SeededGenerator(seed: start)
        for _ in 0..<500 { checked.schedule(after: .random(in: 0...2_000 * Self.tick, using: &random)) }
        for _ in 0..<2_002 { checked.advance(to: checked.now + Self.tick, allowedLateness: Self.tick) }
        #expect(checked.problems.prefix(5) == [])
        #expect(checked.fired == 500)
    }

    @Test func `sleeping until the next deadline fires every timer within a tick`() {
        var checked = Checked(at: 77 * Self.day + 1)
        let delays = [
            1, 255, 256, 257, 65_535, 65_536, 65_537, 16_777_216, 4_294_967_295, 4_294_967_296, 5_184_000_000,
        ]
        for delay in delays {
            checked.schedule(after: UInt64(delay) * Self.tick)
        }
        var turns = 0
        while let next = checked.wheel.nextDeadline, turns < 100_000 {
            turns += 1
            checked.advance(to: max(next, checked.now + 1), allowedLateness: Self.tick)
        }
        #expect(checked.problems.prefix(5) == [])
        #expect(checked.fired == 11)
        // Spreading out costs few extra turns: the loop does not spin.
        #expect(turns < 200)
    }

    @Test func `a deadline that has passed fires at the next tick`() {
        var wheel = TimerWheel(nanoseconds: 10 * Self.tick)
        _ = wheel.schedule(at: 3 * Self.tick, payload: 1)
        var fired: [UInt64] = []
        wheel.advance(to: 10 * Self.tick) { payload, _ in fired.append(payload) }
        #expect(fired == [])
        wheel.advance(to: 11 * Self.tick) { payload, _ in fired.append(payload) }
        #expect(fired == [1])
    }

    @Test func `an identifier of a fired timer does not name the next timer at its index`() {
        var wheel = TimerWheel(nanoseconds: 0)
        let first = wheel.schedule(at: 5 * Self.tick, payload: 1)
        expectTrue(wheel.cancel(first))
        let second = wheel.schedule(at: 6 * Self.tick, payload: 2)
        #expect(first != second)
        expectTrue(!wheel.cancel(first))
        expectTrue(!wheel.cancel(.none))
        expectTrue(wheel.count == 1)
        expectTrue(wheel.cancel(second))
        expectTrue(wheel.nextDeadline == nil)
    }
}
