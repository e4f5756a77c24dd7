import LinuxIO
import NetworkTypes
import Synchronization
import Testing
import WeirAccess

@Suite(.timeLimit(.minutes(2))) struct RateTableTests {
    private let table = RateTable()
    private let scope = LimitScope("a")
    private let bucket = TokenBucket(count: 10, period: second, burst: 20)

    private func taken(_ address: IPAddress, _ scope: LimitScope, attempts: Int, at now: UInt64) -> Int {
        (0..<attempts).count { _ in table.take(address, scope, bucket, at: now) }
    }

    @Test func `each network and scope has a bucket of its own`() throws {
        let one = try #require(IPAddress("192.0.2.7"))
        let neighbor = try #require(IPAddress("192.0.2.8"))
        let six = try #require(IPAddress("2001:db8::7"))
        let sameNetwork = try #require(IPAddress("2001:db8::1:7"))
        #expect(taken(one, scope, attempts: 30, at: second) == 20)
        #expect(taken(neighbor, scope, attempts: 30, at: second) == 20)
        #expect(taken(one, LimitScope("b"), attempts: 30, at: second) == 20)
        #expect(taken(six, scope, attempts: 15, at: second) == 15)
        #expect(taken(sameNetwork, scope, attempts: 15, at: second) == 5)
        #expect(taken(one, scope, attempts: 30, at: 2 * second) == 10)
    }

    @Test func `eight threads together get exactly what the rate allows`() throws {
        let time = AtomicWords(count: 1)
        _ = time.add(0, second)
        let passed = Atomic<Int>(0)
        let client = IPAddress(v4: 7)
        let bucket = TokenBucket(count: 1_000_000, period: second, burst: 50)
        try onThreads(8) { [table, scope] _ in
            for _ in 0..<100_000 {
                // The time runs on by 100 ns with every attempt of any client: a token comes with every tenth.
                let now = time.add(0, 100)
                if table.take(client, scope, bucket, at: now) { passed.add(1, ordering: .relaxed) }
            }
        }
        let elapsed = Int(time.load(0) - second)
        #expect(elapsed == 80_000_000)
        // Attempts that come late see an earlier time, and may find a token that is really there taken: never more
        // pass.
        #expect(passed.load(ordering: .relaxed) <= elapsed / 1000 + 50)
        #expect(passed.load(ordering: .relaxed) >= elapsed / 1000 * 9 / 10)
    }

    @Test func `at one moment eight threads get one burst`() throws {
        for round in 0..<200 {
            let passed = Atomic<Int>(0)
            let client = IPAddress(v4: UInt32(round))
            try onThreads(8) { [table, scope, bucket] _ in
                for _ in 0..<10 where table.take(client, scope, bucket, at: second) {
                    passed.add(1, ordering: .relaxed)
                }
            }
            #expect(passed.load(ordering: .relaxed) == 20)
        }
    }

    @Test func `400,000 networks pass through, none is refused, and who is deep in debt stays there`() {
        let offender = IPAddress(v4: 0xffff_ffff)
        #expect(taken(offender, scope, attempts: 1000, at: second) == 20)
        var refused = 0
        for index in 0..<400_000 {
            let address = IPAddress(high: 0x2001_0db8_0000_0000 | UInt64(index), low: 0)
            if !table.take(address, scope, bucket, at: second) { refused += 1 }
        }
        #expect(refused == 0)
        // The network that owes least makes room: the offender owes two seconds, the others a tenth of one.
        #expect(taken(offender, scope, attempts: 30, at: second) == 0)
        #expect(taken(offender, scope, attempts: 30, at: 2 * second) == 10)
    }

    @Test func `a bucket that is full again makes room without a trace`() {
        for index in 0..<400_000 {
            let address = IPAddress(v4: UInt32(index))
            // An hour lies between two of them.
            if !table.take(address, scope, bucket, at: UInt64(index + 1) * 3600 * second) {
                Issue.record("\(address) is refused")
            }
        }
        #expect(taken(IPAddress(v4: 3), scope, attempts: 30, at: 400_001 * 3600 * second) == 20)
    }
}
