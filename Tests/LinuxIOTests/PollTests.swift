import LinuxIO
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct PollTests {
    @Test func `a descriptor is waited for until it is ready, or until the time is over`() throws {
        let signal = try EventSignal()
        #expect(!Poll.wait(for: .readable, on: signal.number, within: .zero))
        #expect(!Poll.wait(for: .readable, on: signal.number, within: .nanoseconds(1)))
        // A negative time is none.
        #expect(!Poll.wait(for: .readable, on: signal.number, within: .seconds(-1)))
        #expect(Poll.wait(for: .writable, on: signal.number, within: .seconds(60)))
        signal.signal()
        #expect(Poll.wait(for: .readable, on: signal.number, within: .seconds(60)))
    }

    @Test func `a descriptor that is not open counts as ready, and the next call says so`() {
        #expect(Poll.wait(for: .readable, on: 1 << 20, within: .seconds(60)))
    }

    @Test func `a pause of no time, and one of a negative time, returns`() {
        Poll.pause(.zero)
        Poll.pause(.seconds(-1))
        Poll.pause(.nanoseconds(1))
    }

    @Test func `signals that come before the wait are one, and a reset takes them all`() throws {
        let signal = try EventSignal()
        let atFirst = signal.wait(within: .zero)
        for _ in 0..<3 { signal.signal() }
        let afterThree = signal.wait(within: .seconds(60))
        let afterTheWait = signal.wait(within: .zero)
        signal.signal()
        signal.reset()
        let afterReset = signal.wait(within: .zero)
        #expect([atFirst, afterThree, afterTheWait, afterReset] == [false, true, false, false])
    }

    @Test func `a plain thread that waits is woken from another one`() throws {
        let (ready, answer) = (SignalBox(try EventSignal()), SignalBox(try EventSignal()))
        try LinuxIO.Thread.start(name: "poll-test") {
            if ready.signal.wait(within: .seconds(60)) { answer.signal.signal() }
        }
        ready.signal.signal()
        let isAnswered = answer.signal.wait(within: .seconds(60))
        #expect(isAnswered)
    }

    /// A closure cannot capture what cannot be copied.
    private final class SignalBox: Sendable {
        let signal: EventSignal
        init(_ signal: consuming EventSignal) { self.signal = signal }
    }
}
