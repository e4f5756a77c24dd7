import LinuxIO
import Synchronization
import Testing
import WeirAccess

@Suite(.timeLimit(.minutes(2))) struct BandwidthMeterTests {
    private static let rate: UInt64 = 1_000_000

    /// A reader that takes as large pieces as it may, and waits as long as it is told.
    private struct Reader {
        let worker: Int
        let piece: Int
        var readyAt: UInt64 = second
        var moved = 0
    }

    /// Lets readers run beside each other for so many seconds of a clock of their own, always the one that is ready
    /// first.
    private func run(_ readers: inout [Reader], _ meter: BandwidthMeter, seconds: UInt64) {
        let end = second + seconds * second
        while true {
            let next = readers.indices.min { readers[$0].readyAt < readers[$1].readyAt } ?? 0
            let now = readers[next].readyAt
            if now >= end { return }
            readers[next].moved += readers[next].piece
            let wait = meter.charge(readers[next].piece, worker: readers[next].worker, at: now)
            // A read takes a moment, and a timer is a tick late.
            readers[next].readyAt = now + (wait == 0 ? 20_000 : wait + 1_000_000)
        }
    }

    @Test(arguments: [1, 2, 8])
    func `readers on several workers move together what the rate allows`(workers: Int) {
        let meter = BandwidthMeter(ByteBucket(bytesPerSecond: Self.rate), workers: workers)
        var readers = (0..<workers * 3).map { Reader(worker: $0 % workers, piece: meter.bucket.burst) }
        run(&readers, meter, seconds: 20)
        let total = readers.reduce(0) { $0 + $1.moved }
        let burst = meter.bucket.burst
        // What passes at once at the start, and a piece that each reader has just taken.
        #expect(total >= 20_000_000)
        #expect(total <= 20_000_000 + burst * (readers.count + 2))
        for reader in readers { #expect(reader.moved > total / readers.count / 2) }
    }

    @Test func `a small flow beside greedy ones gets what it asks for`() {
        let meter = BandwidthMeter(ByteBucket(bytesPerSecond: Self.rate), workers: 2)
        var readers = (0..<4).map { Reader(worker: $0 % 2, piece: meter.bucket.burst) }
        readers.append(Reader(worker: 1, piece: 100))
        run(&readers, meter, seconds: 20)
        // Its pieces wait for one of each of the others at most: 4 x 50 ms, and a tick each.
        #expect(readers[4].moved / 100 >= 20_000 / 225)
    }

    @Test func `datagrams that come too fast are dropped one by one, and the rest make the rate`() {
        let meter = BandwidthMeter(ByteBucket(bytesPerSecond: Self.rate), workers: 2)
        var passed = 0
        var longestGap = 0
        var gap = 0
        // 2,000 a second of 1,200 bytes: 2.4 times as much as may pass.
        for index in 0..<40_000 {
            let now = second + UInt64(index) * 500_000
            if meter.take(1200, worker: index % 2, at: now) {
                passed += 1200
                gap = 0
            } else {
                gap += 1
                longestGap = max(longestGap, gap)
            }
        }
        #expect(abs(passed - 20_000_000) < 200_000)
        // Not whole bursts are dropped: a quantum of 5,000 bytes comes in 5 ms, in which 10 datagrams do.
        #expect(longestGap <= 20)
    }

    @Test func `the longest datagram passes under the smallest limit, now and then`() {
        let meter = BandwidthMeter(ByteBucket(bytesPerSecond: 10_000), workers: 1)
        let passed = (0..<1000).count { meter.take(65_507, worker: 0, at: second + UInt64($0) * second) }
        // Each takes 6.6 s, so that of one a second every seventh passes.
        #expect((142...145).contains(passed))
    }

    @Test func `eight threads that are eight workers borrow no byte twice`() throws {
        let meter = BandwidthMeter(ByteBucket(bytesPerSecond: Self.rate), workers: 8)
        let passed = Atomic<Int>(0)
        try onThreads(8) { worker in
            // All at one moment: only what passes at once.
            for _ in 0..<100_000 where meter.take(100, worker: worker, at: second) {
                passed.add(100, ordering: .relaxed)
            }
        }
        let burst = meter.bucket.burst
        #expect(passed.load(ordering: .relaxed) >= burst)
        #expect(passed.load(ordering: .relaxed) <= burst + burst / 10)
    }
}
