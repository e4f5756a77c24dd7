import LinuxIO
import Testing

@testable import NetworkTypes
@testable import WeirStream

@Suite struct MemberLookupTests {
    private typealias Answer = Result<MemberLookup.Answer, AddressLookup.Failure>

    private let records = ScriptedRecords()
    private let clock = TestClock()
    private static let source = MemberSource.service("_radius._udp.example")

    private func look(
        _ source: MemberSource = Self.source, memory: [String: [SocketAddress]] = [:]
    ) -> Answer {
        let lookup = MemberLookup(records: records, clock: clock.clock)
        return Answer { () throws(AddressLookup.Failure) in try lookup.members(of: source, memory: memory) }
    }

    private func set(_ services: [DNSService], ttl: Int = 60) {
        records.set(service: "_radius._udp.example", services, ttl: ttl)
    }

    @Test func `the addresses of a host have the port of the source, in order, each once`() throws {
        records.set("db.example", ["192.0.2.2", "192.0.2.1", "192.0.2.2", "2001:db8::1"], ttl: 7)
        let answer = try look(.addresses(of: "db.example", port: 53)).get()
        #expect(answer.members.members == [.at("192.0.2.1:53"), .at("192.0.2.2:53"), .at("[2001:db8::1]:53")])
        #expect(answer.members.omissions == .init() && answer.timeToLive == .seconds(7))
        records.set("db.example", ["2001:db8::1", "192.0.2.1", "192.0.2.2"], ttl: 9)
        #expect(try look(.addresses(of: "db.example", port: 53)).get().members == answer.members)
        records.set("db.example", ["192.0.2.1"], ttl: nil)
        #expect(try look(.addresses(of: "db.example", port: 53)).get().timeToLive == nil)
    }

    @Test func `the targets of a service have its ports, priorities and weights, and the smallest time counts`() throws
    {
        set([.at("b.example", port: 2, priority: 20), .at("A.example", port: 1, priority: 10, weight: 5)], ttl: 40)
        records.set("a.example.", ["192.0.2.9", "192.0.2.1"], ttl: 30)
        records.set("b.example.", ["192.0.2.2"], ttl: 20)
        let answer = try look().get()
        #expect(
            answer.members.members == [
                .at("192.0.2.1:1", priority: 10, weight: 5), .at("192.0.2.9:1", priority: 10, weight: 5),
                .at("192.0.2.2:2", priority: 20),
            ])
        #expect(answer.timeToLive == .seconds(20))
        // Without the search list: a dot stands behind each target.
        #expect(records.asked == ["_radius._udp.example", "a.example.", "b.example."])
        records.set("b.example.", ["192.0.2.2"], ttl: nil)
        #expect(try look().get().timeToLive == .seconds(30))
    }

    @Test func `one host is looked up once, and one address is a member once`() throws {
        set([
            .at("a.example", port: 1, priority: 2, weight: 9), .at("a.example", port: 1, priority: 1, weight: 3),
            .at("b.example", port: 1, priority: 1, weight: 4), .at("a.example", port: 2, priority: 3),
        ])
        records.set("a.example.", ["192.0.2.1"])
        records.set("b.example.", ["192.0.2.1"])
        #expect(
            try look().get().members.members
                == [.at("192.0.2.1:1", priority: 1, weight: 4), .at("192.0.2.1:2", priority: 3)])
        #expect(records.asked.sorted() == ["_radius._udp.example", "a.example.", "b.example."])
    }

    @Test func `targets and members beyond the bounds are counted`() throws {
        set((0..<100).map { .at("host-\($0).example", priority: UInt16(200 - $0)) })
        for host in 0..<100 {
            records.set("host-\(host).example.", (0..<20).map { "10.0.\(host).\($0)" })
        }
        let answer = try look().get()
        #expect(records.asked.count == 1 + ResolvedMembers.maxTargets)
        #expect(!records.asked.contains("host-35.example.") && records.asked.contains("host-36.example."))
        #expect(answer.members.members.count == ResolvedMembers.maxMembers)
        #expect(answer.members.omissions.services == 36)
        #expect(answer.members.omissions.members == 64 * 20 - 1_000)
        #expect(answer.members.members.first?.priority == 101)
    }

    @Test func `a service with port 0, and a target that is no host name, are left out`() throws {
        let unwritable = try #require(DNSName(in: [1, 0, 0], at: 0))
        set([
            .at("a.example", port: 0), .at("b.example"),
            DNSService(priority: 0, weight: 0, port: 1, target: unwritable),
        ])
        records.set("b.example.", ["192.0.2.2"])
        let answer = try look().get()
        #expect(answer.members.members == [.at("192.0.2.2:1812")])
        #expect(answer.members.omissions.services == 2)
        set([.at("a.example", port: 0)])
        #expect(look() == .failure(.notFound))
    }

    @Test func `what was known of a host stands in while its servers do not answer`() throws {
        set([.at("a.example"), .at("b.example"), .at("c.example")])
        records.set("a.example.", ["192.0.2.1"])
        records.set("b.example.", ["192.0.2.2", "2001:db8::2"])
        records.set("c.example.", ["192.0.2.3"])
        let first = try look().get()
        #expect(first.members.members.count == 4)
        records.fail("a.example.", .timedOut)
        records.set("b.example.", ["192.0.2.20"], unanswered: .ipv6)
        records.fail("c.example.", .notFound)
        let second = try look(memory: first.memory).get()
        // c has no address any more, which is an answer.
        #expect(
            second.members.members == [.at("192.0.2.1:1812"), .at("192.0.2.20:1812"), .at("[2001:db8::2]:1812")])
        #expect(second.members.omissions.hosts == ["a.example", "b.example", "c.example"])
        #expect(second.timeToLive == .zero)
        // It does so for longer than one lookup.
        #expect(try look(memory: second.memory).get().members == second.members)
    }

    @Test func `one family of a host stands in, too`() throws {
        let source = MemberSource.addresses(of: "db.example", port: 1)
        records.set("db.example", ["192.0.2.1", "2001:db8::1"])
        let first = try look(source).get()
        records.set("db.example", ["192.0.2.2"], unanswered: .ipv6)
        let second = try look(source, memory: first.memory).get()
        #expect(second.members.members == [.at("192.0.2.2:1"), .at("[2001:db8::1]:1")])
        #expect(second.members.omissions.hosts == ["db.example"] && second.timeToLive == .zero)
        records.set("db.example", ["192.0.2.2"])
        #expect(try look(source, memory: second.memory).get().members.members == [.at("192.0.2.2:1")])
    }

    @Test func `a service of which no target has an answer has failed`() {
        set([.at("a.example"), .at("b.example")])
        #expect(look() == .failure(.notFound))
        records.fail("a.example.", .unavailable)
        #expect(look(memory: ["a.example": [SocketAddress(.loopbackIPv4, port: 0)]]) == .failure(.unavailable))
        records.fail("b.example.", .timedOut)
        #expect(look() == .failure(.timedOut))
        records.fail(service: "_radius._udp.example", .unavailable)
        #expect(look() == .failure(.unavailable))
    }

    @Test func `a lookup that takes long asks for no more targets`() throws {
        set((0..<10).map { .at("host-\($0).example") })
        for host in 0..<10 { records.set("host-\(host).example.", ["192.0.2.\(host)"]) }
        let known = try look().get().memory
        let before = records.asked.count
        let clock = clock
        records.onQuestion { clock.advance(by: .seconds(10)) }
        let answer = try look(memory: known).get()
        // The services, and two hosts.
        #expect(records.asked.count == before + 3)
        #expect(answer.members.members.count == 10 && answer.members.omissions.hosts.count == 8)
    }
}
