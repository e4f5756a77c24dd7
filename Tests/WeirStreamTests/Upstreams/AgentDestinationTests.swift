import NetworkTypes
import Testing

@testable import WeirStream

@Suite("Destinations behind an agent") struct AgentDestinationTests {
    private func upstream(_ host: String, port: UInt16 = 22, isPortFixed: Bool = false) throws -> Upstream {
        try Upstream(
            agent: UpstreamHost("192.0.2.7"), port: 8890,
            destination: AgentDestination(
                UpstreamHost(host), port: port, isPortFixed: isPortFixed, agent: "edge-1"))
    }

    @Test("What is dialed is the agent, whatever the destination")
    func dialed() throws {
        let found = try upstream("db-1")
        #expect(found.literal == SocketAddress(found.literal?.ip ?? .anyIPv4, port: 8890))
        #expect(found.description == "db-1:22 via edge-1")
        let other = try Upstream(
            agent: UpstreamHost("192.0.2.7"), port: 8890,
            destination: try #require(
                try upstream("db-2").behindAgent))
        #expect(found != other)
        #expect(UpstreamState(found).isDirect == false)
        #expect(UpstreamState(try Upstream("192.0.2.7:22")).isDirect)
    }

    @Test("A listener's shift moves the destination's port, never the agent's")
    func shifts() throws {
        let shifted = try upstream("::1").shifted(by: 3)
        #expect(shifted.port == 8890 && shifted.behindAgent?.port == 25)
        #expect(shifted.description == "[::1]:25 via edge-1")
        let fixed = try upstream("::1", isPortFixed: true)
        #expect(fixed.shifted(by: 3) == fixed)
        let last = try upstream("::1", port: 65_535)
        #expect(last.shifted(by: 1) == last, "port 0 is none")
    }

    @Test("An agent dials hosts and ports only")
    func refused() {
        let path = UnixSocketPath(prefixed: "unix:/run/a")
        #expect(path != nil)
        #expect(throws: EndpointError.self) { try upstream("unix:/run/a") }
        #expect(throws: EndpointError.self) { try upstream("") }
        #expect(throws: EndpointError.self) { try upstream("db-1", port: 0) }
    }

    @Test("A failure of the way to an agent is the agent's, and one of this machine is not")
    func failures() {
        let ofAgent = DialFailure.allCases.filter(\.isOfAgent)
        #expect(
            Set(ofAgent) == [
                .refused, .timeout, .unreachable, .reset, .dnsNotFound, .dnsTimeout, .dnsFailure, .agent,
            ])
    }
}
