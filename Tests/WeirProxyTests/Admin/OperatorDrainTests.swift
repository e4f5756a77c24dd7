import LinuxIO
import NetworkTypes
import Testing
import WeirBalance
import WeirConfiguration
import WeirMetrics

@testable import WeirProxy

/// The drains that an operator begins and ends.
struct OperatorDrainTests {
    private typealias Member = OperatorDrains.Member

    private let drains = OperatorDrains()
    /// Two members of one name, and an upstream beside them.
    private let members = ["db:80/192.0.2.1:80", "db:80/192.0.2.2:80", "192.0.2.9:80"].map { text in
        Member(text: text, label: text.hasPrefix("db:80/") ? "db:80" : text)
    }

    private func drained(of route: String = "a") -> [Bool] { members.map { drains.drains($0, of: route) } }

    @Test("A whole route drains once, and other routes do not")
    func routes() {
        #expect(drains.set(route: "a", to: true))
        #expect(!drains.set(route: "a", to: true))
        #expect(drains.drains(route: "a") && !drains.drains(route: "b"))
        #expect(drains.set(route: "a", to: false))
        #expect(!drains.set(route: "a", to: false) && !drains.drains(route: "a"))
    }

    @Test("An upstream drains alone, on its own route")
    func single() {
        drains.begin("192.0.2.9:80", of: "a")
        #expect(drained() == [false, false, true] && drained(of: "b") == [false, false, false])
        drains.end("192.0.2.9:80", of: "b", members: members)
        #expect(drained() == [false, false, true])
        drains.end("192.0.2.9:80", of: "a", members: members)
        #expect(drained() == [false, false, false])
    }

    @Test("A name drains with all of its members, those that it has later too")
    func name() {
        drains.begin("db:80", of: "a")
        #expect(drained() == [true, true, false])
        #expect(drains.drains(Member(text: "db:80/192.0.2.3:80", label: "db:80"), of: "a"))
        drains.end("db:80", of: "a", members: members)
        #expect(drained() == [false, false, false])
    }

    @Test("One member of a name that drains as a whole takes clients again, and the others go on to drain")
    func memberOfName() {
        drains.begin("db:80", of: "a")
        drains.end("db:80/192.0.2.1:80", of: "a", members: members)
        #expect(drained() == [false, true, false])
        // It can drain again, alone and with all of its name.
        drains.begin("db:80/192.0.2.1:80", of: "a")
        #expect(drained() == [true, true, false])
        drains.end("db:80/192.0.2.1:80", of: "a", members: members)
        #expect(drained() == [false, true, false])
        drains.begin("db:80", of: "a")
        #expect(drained() == [true, true, false])
    }

    @Test("A name of which each member takes clients again does not drain those that it has later")
    func everyMember() {
        drains.begin("db:80", of: "a")
        for member in members.prefix(2) { drains.end(member.text, of: "a", members: members) }
        #expect(drained() == [false, false, false])
        #expect(!drains.drains(Member(text: "db:80/192.0.2.3:80", label: "db:80"), of: "a"))
    }

    @Test("The end of a name's drain ends those of its members, too")
    func nameAfterMember() {
        drains.begin("db:80/192.0.2.2:80", of: "a")
        drains.begin("192.0.2.9:80", of: "a")
        drains.end("db:80", of: "a", members: members)
        #expect(drained() == [false, false, true])
    }

    @Test("A set that was made anew gets the drains of its route")
    func sets() throws {
        var route = makeRoute("a", listen: 1, upstream: 80)
        let ports: [UInt16] = [1, 2, 3]
        route.upstreams = ports.map { port in
            var upstream = UpstreamConfiguration(.address(.loopbackIPv4), port: port)
            upstream.source = port < 3 ? "db:80" : nil
            return upstream
        }
        #expect(route.drainableMembers.map(\.label) == ["db:80", "db:80", "127.0.0.1:3"])
        let sets = UpstreamSets()
        _ = try sets.selector(for: route, MetricsRegistry(shardCount: 1))
        let set = try #require(sets.set(UpstreamSets.Key(route)))
        drains.begin("db:80", of: "a")
        drains.end("db:80/127.0.0.1:1", of: "a", members: route.drainableMembers)
        drains.apply(to: set, of: route)
        #expect(set.status(now: MonotonicClock.system.nanoseconds).map(\.state) == [.up, .draining, .up])
    }
}
