import LinuxIO
import NetworkTypes
import Synchronization
import Testing
import WeirAccess
import WeirConfiguration

@testable import WeirProxy
@testable import WeirStream

/// Connections of several routes under a limit that they share, on a clock that is turned by hand.
struct SharedBandwidthTests {
    private static let rate = 1_000_000
    private static let second: UInt64 = 1_000_000_000

    /// The time, in nanoseconds.
    private final class Clock: Sendable {
        private let time = Atomic<UInt64>(5_000_000_000)
        var now: UInt64 { time.load(ordering: .relaxed) }
        func advance(by nanoseconds: UInt64) { time.wrappingAdd(nanoseconds, ordering: .relaxed) }
    }

    /// A connection whose peer has sent `rest` bytes.
    private struct Flow {
        let context: StreamContext
        var rest: Int
        var moved = 0
        var readyAt: UInt64 = 0
    }

    private let clock: Clock
    private let tables: ClientTables
    private let flood: StreamHooks
    private let quiet: StreamHooks

    init() throws {
        let clock = Clock()
        self.clock = clock
        tables = ClientTables(clock: MonotonicClock { clock.now })
        let rates = ByteRates(ingress: Self.rate, egress: Self.rate)
        var cache = LimiterCache(TrafficLimits(bandwidth: Bandwidth(total: rates)))
        flood = try Self.hooks(of: "flood", .tcp, &cache, tables)
        quiet = try Self.hooks(of: "quiet", .tcp, &cache, tables)
    }

    private static func hooks(
        of name: String, _ transport: Transport, _ cache: inout LimiterCache, _ tables: ClientTables
    ) throws -> StreamHooks {
        let made = cache.limiter(of: makeRoute(name, listen: 1, upstream: 2), clients: tables, workers: 2)
        let limiter = try #require(made)
        var hooks = StreamHooks()
        limiter.install(in: &hooks, transport)
        return hooks
    }

    private func open(_ hooks: StreamHooks, _ id: Int, bytes: Int) throws -> Flow {
        let context = try makeContext(id: UInt64(id), worker: id % 2)
        let admit = try #require(hooks.admit)
        if case .reject(let reason) = admit(context) { Issue.record("a limit of bytes refuses a client: \(reason)") }
        return Flow(context: context, rest: bytes)
    }

    /// Lets a flow read what it may now. Returns how much that was.
    private func read(_ flow: inout Flow, _ hooks: StreamHooks) -> Int {
        guard let mayRead = hooks.mayRead, let onRead = hooks.onRead else { return 0 }
        var count = 0
        while flow.rest > 0, flow.readyAt <= clock.now {
            switch mayRead(flow.context, .ingress) {
            case .bytes(let granted):
                let new = min(granted, flow.rest)
                _ = onRead(ReadEvent(context: flow.context, direction: .ingress, byteCount: new, readCount: 1))
                flow.rest -= new
                flow.moved += new
                count += new
            case .wait(let time): flow.readyAt = clock.now + time.clampedNanoseconds
            }
        }
        return count
    }

    @Test("Of 5,000 short connections in 10 s passes what the limit says, and another route's echo has its turn")
    func crowd() throws {
        var crowd: [Flow] = []
        var echo = try open(quiet, 1, bytes: 0)
        var (total, askedAt, longest) = (0, clock.now, UInt64(0))
        // A step is a tick; every other one brings a new connection with 50 kB.
        for step in 0..<10_000 {
            if step % 2 == 0 { crowd.append(try open(flood, step + 2, bytes: 50_000)) }
            for index in crowd.indices where crowd[index].readyAt <= clock.now { total += read(&crowd[index], flood) }
            if step % 5 == 0, echo.rest == 0 { (echo.rest, askedAt) = (64, clock.now) }
            total += read(&echo, quiet)
            longest = max(longest, echo.rest > 0 ? clock.now - askedAt : 0)
            clock.advance(by: 1_000_000)
        }
        #expect(total >= 9_500_000)
        #expect(total <= 12_000_000)
        #expect(longest <= Self.second / 100)
        #expect(echo.moved >= 64 * 1_900)
        // They all go: what they had reserved is free again, and the next one waits no longer than those before it
        // took.
        for flow in crowd { flow.context.giveBack() }
        var late = try open(flood, 1_000_000, bytes: 1_000)
        for _ in 0..<1_000 where late.rest > 0 {
            _ = read(&late, flood)
            clock.advance(by: 1_000_000)
        }
        #expect(late.rest == 0)
    }

    @Test("A new connection's first read is asked for like any other")
    func firstRead() throws {
        var total = 0
        for id in 1...100 {
            var flow = try open(flood, id, bytes: 50_000)
            total += read(&flow, flood)
        }
        // At one moment: a burst.
        #expect(total <= Self.rate / 20 + 100 * 1_000)
    }

    @Test("What a read did not bring goes back, and what was reserved too long ago is asked for anew")
    func unread() throws {
        let mayRead = try #require(flood.mayRead)
        let onRead = try #require(flood.onRead)
        let small = try open(flood, 1, bytes: 0)
        for _ in 0..<10_000 {
            guard case .bytes(let granted) = mayRead(small.context, .ingress), granted > 1 else {
                Issue.record("the rest of a short read is lost")
                return
            }
            _ = onRead(ReadEvent(context: small.context, direction: .ingress, byteCount: 1, readCount: 1))
        }
        // Reads that find nothing keep what they were given, but not for ever.
        let idle = try (0..<200).map { try open(flood, $0 + 2, bytes: 0) }
        for flow in idle { _ = mayRead(flow.context, .ingress) }
        clock.advance(by: 10 * Self.second)
        let piece = ByteBucket(bytesPerSecond: UInt64(Self.rate)).sharedPiece
        for flow in idle { _ = mayRead(flow.context, .ingress) }
        // All was charged again: the burst of these seconds is given away.
        if case .bytes(let granted) = mayRead(try open(flood, 1_000, bytes: 0).context, .ingress) {
            #expect(granted <= piece)
        }
    }

    @Test("Datagrams of a quiet route pass beside another route's crowd, and no more than its share")
    func datagrams() throws {
        var cache = LimiterCache(TrafficLimits(bandwidth: Bandwidth(total: ByteRates(ingress: Self.rate))))
        let greedy = try Self.hooks(of: "greedy", .tcp, &cache, tables)
        let names = try Self.hooks(of: "names", .udp, &cache, tables)
        let police = try #require(names.policeDatagram)
        let session = try makeContext(.udp, id: 1)
        var flows = try (0..<50).map { try open(greedy, $0 + 2, bytes: .max) }
        var (asked, passed, total) = (0, 0, 0)
        for step in 0..<5_000 {
            for index in flows.indices { total += read(&flows[index], greedy) }
            if step % 10 == 0 {
                asked += 1
                if police(session, .ingress, 100) { passed += 1 }
            }
            clock.advance(by: 1_000_000)
        }
        #expect(passed == asked)
        #expect(total + passed * 100 <= 5 * Self.rate + Self.rate)
    }
}
