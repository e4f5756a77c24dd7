import LinuxIO
import Synchronization
import Testing
import WeirAccess

@Suite(.timeLimit(.minutes(2))) struct BandwidthMeterTests {
    private static let rate: UInt64 = 1_000_000

    /// A reader that asks for pieces, waits as long as it is told, and then reads.
    private struct Reader {
        let piece: Int
        var readyAt: UInt64 = second
        var held = 0
        var moved = 0
        var longestWait: UInt64 = 0
    }

    /// Lets readers run beside each other for so many seconds of a clock of their own, always the one that is ready
    /// first.
    private func run(_ readers: inout [Reader], _ meter: BandwidthMeter, seconds: UInt64) {
        let end = second + seconds * second
        while true {
            let next = readers.indices.min { readers[$0].readyAt < readers[$1].readyAt } ?? 0
            let now = readers[next].readyAt
            if now >= end { return }
            // A read takes a moment.
            readers[next].moved += readers[next].held
            readers[next].held = 0
            readers[next].readyAt = now + 20_000
            guard let found = meter.reserve(atMost: readers[next].piece, isFavored: false, at: now) else {
                readers[next].readyAt = now + 100_000_000
                continue
            }
            readers[next].held = found.byteCount
            readers[next].longestWait = max(readers[next].longestWait, found.due - now)
            // A timer is a tick late.
            if found.due > now { readers[next].readyAt = found.due + 1_000_000 }
        }
    }

    @Test(arguments: [3, 6, 24, 100])
    func `greedy readers move together what the rate allows, each its part`(count: Int) {
        let meter = BandwidthMeter(ByteBucket(bytesPerSecond: Self.rate), workers: 1)
        var readers = (0..<count).map { _ in Reader(piece: .max) }
        run(&readers, meter, seconds: 20)
        let total = readers.reduce(0) { $0 + $1.moved }
        #expect(total >= 19_500_000)
        // And what passes at once at the start, with a piece.
        #expect(total <= 20_000_000 + meter.bucket.burst + meter.bucket.sharedPiece)
        for reader in readers { #expect(reader.moved > total / readers.count / 2) }
    }

    @Test(arguments: [4, 40])
    func `a small flow beside greedy ones waits for one small piece of each`(count: Int) {
        let meter = BandwidthMeter(ByteBucket(bytesPerSecond: Self.rate), workers: 1)
        var readers = (0..<count).map { _ in Reader(piece: .max) }
        readers.append(Reader(piece: 100))
        run(&readers, meter, seconds: 20)
        let piece = meter.bucket.time(for: meter.bucket.sharedPiece)
        #expect(piece == 1_000_000)
        #expect(readers[count].longestWait <= UInt64(count + 1) * piece)
        #expect(readers[count].moved / 100 >= 20_000 / (count + 4))
    }

    @Test func `whatever is asked for, the debt is less than a second, and what is given back is there again`() throws {
        for rate in [20_000, 1_000_000, 1_000_000_000] as [UInt64] {
            let meter = BandwidthMeter(ByteBucket(bytesPerSecond: rate), workers: 1)
            var taken = 0
            for _ in 0..<100_000 {
                taken += meter.reserve(atMost: .max, isFavored: false, at: second)?.byteCount ?? 0
            }
            for _ in 0..<100_000 {
                taken += meter.reserve(atMost: .max, isFavored: true, at: second)?.byteCount ?? 0
            }
            #expect(meter.bucket.time(for: taken) <= second)
            #expect(meter.reserve(atMost: .max, isFavored: true, at: second) == nil)
            meter.refund(taken)
            #expect(meter.reserve(atMost: .max, isFavored: false, at: second)?.due == second)
        }
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
