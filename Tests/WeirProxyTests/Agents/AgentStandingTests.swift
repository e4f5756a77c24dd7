import NetworkTypes
import Testing

@testable import WeirProxy

struct AgentStandingTests {
    private let address = "192.0.2.1:8890"

    @Test("Nothing is said before the first probe has ended")
    func unknown() {
        let standing = AgentStanding().standing(at: address)
        #expect(standing.isUp == nil && standing.failure == nil && standing.tunnelProtocol == nil)
    }

    @Test("The time is that of the change between up and down, not of each probe or reason")
    func since() {
        var standing = AgentStanding()
        standing.take(nil, tunnelProtocol: "weir-agent/1", at: address, now: 10)
        standing.take(nil, tunnelProtocol: "weir-agent/1", at: address, now: 20)
        #expect(standing.isUp == true && standing.changedAt == 10 && standing.probedAt == 20)
        standing.take(.refused, tunnelProtocol: nil, at: address, now: 30)
        standing.take(.timeout, tunnelProtocol: nil, at: address, now: 40)
        #expect(standing.isUp == false && standing.changedAt == 30 && standing.probedAt == 40)
        #expect(standing.failure == .timeout)
        #expect(standing.tunnelProtocol == "weir-agent/1", "the last one that was agreed on")
        standing.take(nil, tunnelProtocol: "godoxy-agent-stream/1", at: address, now: 50)
        #expect(standing.isUp == true && standing.changedAt == 50 && standing.failure == nil)
        #expect(standing.tunnelProtocol == "godoxy-agent-stream/1")
    }

    @Test("What was found at another address says nothing")
    func otherAddress() {
        var standing = AgentStanding()
        standing.take(nil, tunnelProtocol: "weir-agent/1", at: address, now: 10)
        #expect(standing.standing(at: address) == standing)
        #expect(standing.standing(at: "192.0.2.2:8890") == AgentStanding())
        standing.take(nil, tunnelProtocol: nil, at: "192.0.2.2:8890", now: 20)
        #expect(standing.changedAt == 20 && standing.tunnelProtocol == nil)
    }

    @Test("Every reason has words of its own")
    func words() {
        let words = AgentFailure.allCases.map(\.words)
        #expect(Set(words).count == words.count)
        // With a name and an address in front of them, a line of the page and of a terminal holds them.
        #expect(words.allSatisfy { !$0.isEmpty && $0.count <= 50 })
    }
}
