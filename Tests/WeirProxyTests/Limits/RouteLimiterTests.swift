import LinuxIO
import NetworkTypes
import Testing
import WeirAccess
import WeirConfiguration

@testable import WeirProxy
@testable import WeirStream

struct RouteLimiterTests {
    private let tables = ClientTables()
    private let one = IPAddress(v4: 0xc000_0201)

    private func make(_ route: TrafficLimits, _ process: TrafficLimits = TrafficLimits()) -> RouteLimiter? {
        var cache = LimiterCache(process)
        return cache.limiter(of: makeRoute("a", listen: 1, upstream: 2, limits: route), clients: tables, workers: 2)
    }

    private func admit(_ limiter: RouteLimiter, _ address: IPAddress) throws -> (StreamContext, RejectReason?) {
        let context = try makeContext(client: address)
        if case .reject(let reason) = limiter.admit(context) { return (context, reason) }
        return (context, nil)
    }

    @Test("A route without limits, in a process without, has no limiter, and its hooks stay as they are")
    func nothing() throws {
        #expect(make(TrafficLimits()) == nil)
        let limiter = try #require(make(TrafficLimits(bandwidth: Bandwidth(total: ByteRates(ingress: 5_000)))))
        var hooks = StreamHooks()
        limiter.install(in: &hooks, .tcp)
        #expect(hooks.admit != nil && hooks.mayRead != nil && hooks.onRead != nil && hooks.policeDatagram == nil)
        hooks = StreamHooks()
        limiter.install(in: &hooks, .udp)
        #expect(hooks.admit == nil && hooks.onRead == nil && hooks.policeDatagram != nil && hooks.mayRead == nil)
    }

    @Test("Each limit gives back what those before it took, and a reservation gives back once")
    func order() throws {
        let limiter = try #require(
            make(
                TrafficLimits(maxConnectionsPerIP: 3, rateLimit: RateLimit(count: 1, period: .seconds(3600), burst: 3)),
                TrafficLimits(maxConnectionsPerIP: 2)))
        let (first, second) = (try admit(limiter, one), try admit(limiter, one))
        #expect(first.1 == nil && second.1 == nil)
        // The process's count refuses: the route's slot is free again, and no token is gone.
        for _ in 0..<5 { #expect(try admit(limiter, one).1 == .perIPLimit) }
        #expect(tables.counts.count(of: one, LimitScope("a")) == 2)
        #expect(tables.counts.count(of: one, LimitScope("")) == 2)
        first.0.giveBack()
        first.0.giveBack()
        #expect(tables.counts.count(of: one, LimitScope("a")) == 1)
        let third = try admit(limiter, one)
        #expect(third.1 == nil)
        second.0.giveBack()
        // The third token was the last; what it refuses leaves no slot taken.
        #expect(try admit(limiter, one).1 == .rateLimit)
        #expect(tables.counts.count(of: one, LimitScope("a")) == 1)
        #expect(tables.counts.count(of: one, LimitScope("")) == 1)
        withExtendedLifetime(third) {}
    }

    @Test("A context that goes without a word gives back what was taken for it")
    func forgottenContext() throws {
        let limiter = try #require(make(TrafficLimits(maxConnectionsPerIP: 1)))
        var context: StreamContext? = try admit(limiter, one).0
        #expect(context?.reservation != nil)
        #expect(tables.counts.count(of: one, LimitScope("a")) == 1)
        context = nil
        #expect(tables.counts.count(of: one, LimitScope("a")) == 0)
        #expect(try admit(limiter, one).1 == nil)
    }

    @Test("A client that rules refuse is not asked about limits")
    func rulesFirst() throws {
        let limiter = try #require(make(TrafficLimits(maxConnectionsPerIP: 1)))
        var hooks = StreamHooks(admit: { _ in .reject(.acl) })
        limiter.install(in: &hooks, .tcp)
        let context = try makeContext(client: one)
        let admit = try #require(hooks.admit)
        guard case .reject(.acl) = admit(context) else {
            Issue.record("the rule's reason is lost")
            return
        }
        #expect(context.reservation == nil && context.attachment == nil)
        #expect(tables.counts.count(of: one, LimitScope("a")) == 0)
    }

    @Test("A meter lives through a reload that leaves its rate, and a route that is gone loses it")
    func meters() throws {
        var cache = LimiterCache(TrafficLimits(bandwidth: Bandwidth(total: ByteRates(egress: 9_000))))
        func meter(_ rate: Int) throws -> (BandwidthMeter, BandwidthMeter) {
            let route = makeRoute(
                "a", listen: 1, upstream: 2,
                limits: TrafficLimits(bandwidth: Bandwidth(total: ByteRates(egress: rate))))
            let made = cache.limiter(of: route, clients: tables, workers: 1)
            let limiter = try #require(made)
            return (try #require(limiter.route.bandwidth.egress), try #require(limiter.process.bandwidth.egress))
        }
        let first = try meter(5_000)
        let second = try meter(5_000)
        #expect(first.0 === second.0 && first.1 === second.1)
        let third = try meter(6_000)
        #expect(third.0 !== first.0 && third.1 === first.1)
        cache.forget(except: [])
        let fourth = try meter(6_000)
        #expect(fourth.0 !== third.0 && fourth.1 === first.1)
    }
}
