/// Decides how long a worker lets datagrams gather before it looks for them again, as network cards moderate their
/// interrupts.
///
/// A worker is often faster than the sender of a flood. It then wakes for a few datagrams at a time, and each wake-up
/// costs two context switches, a receive and a send. Under a flood, and only where the worker does nothing else, it
/// therefore sleeps for a moment before it waits. The delay is bounded, and there is none at a low rate. The busier
/// direction counts: questions that wait for their answers are no flood.
struct DatagramModeration {
    /// The longest delay.
    static let maxDelayNanoseconds: UInt64 = 50_000
    /// The batch that a delay aims at.
    static let wantedDatagrams: UInt64 = 32
    /// A delay that would gather fewer datagrams costs more latency than it saves work.
    static let minDatagrams: UInt64 = 8
    /// The length of one measurement.
    static let periodNanoseconds: UInt64 = 1_000_000

    /// The delay before the next wait, in nanoseconds; 0 for none.
    private(set) var delayNanoseconds: UInt64 = 0
    private var received: (ingress: UInt64, egress: UInt64) = (0, 0)
    /// Descriptors of this turn whose events were datagrams.
    private var datagramEvents = 0
    /// Whether something else happened since the measurement began.
    private var hadOtherEvents = false
    private var since: UInt64

    /// Whether datagrams have come since the measurement began, or are delayed. Other turns need not be recorded: a
    /// worker without datagrams pays for nothing.
    private(set) var isWatching = false

    init(now: UInt64) {
        since = now
    }

    /// Records that a datagram socket has events.
    mutating func datagramsArrived() {
        datagramEvents += 1
        isWatching = true
    }

    /// Records a receive of `count` datagrams.
    mutating func received(_ count: Int, _ direction: Direction) {
        switch direction {
        case .ingress: received.ingress += UInt64(count)
        case .egress: received.egress += UInt64(count)
        }
    }

    /// Records the end of a turn in which `events` descriptors had events.
    mutating func turned(events: Int, now: UInt64) {
        if events > datagramEvents { hadOtherEvents = true }
        datagramEvents = 0
        let elapsed = now - min(since, now)
        guard elapsed >= Self.periodNanoseconds else { return }
        delayNanoseconds = hadOtherEvents ? 0 : delay(elapsed)
        received = (0, 0)
        hadOtherEvents = false
        isWatching = delayNanoseconds > 0
        since = now
    }

    private func delay(_ elapsed: UInt64) -> UInt64 {
        let datagrams = max(received.ingress, received.egress)
        guard datagrams * Self.maxDelayNanoseconds >= Self.minDatagrams * elapsed else { return 0 }
        return min(Self.maxDelayNanoseconds, Self.wantedDatagrams * elapsed / datagrams)
    }
}
