import NetworkTypes
import TestSupport
import Testing

@testable import WeirDocker

@Suite("Answers of engines") struct EngineAnswerTests {
    private func node(_ text: String) throws -> JSONNode { try JSONReader.read(Array(text.utf8)) }

    @Test("Entries of a list, as Docker and Podman write them")
    func list() throws {
        let list = try Container.list(
            node(
                #"""
                [{"Id":"abc1","Names":["/other/alias","/web"],"State":"running","Status":"Up 3 hours (unhealthy)",
                  "Labels":{"a":"b"},"Created":1700000000,"HostConfig":{"NetworkMode":"edge"},
                  "Ports":[{"IP":"127.0.0.1","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":53,"Type":"udp"},
                           {"PrivatePort":9,"Type":"sctp"},{"PrivatePort":70000,"Type":"tcp"}],
                  "NetworkSettings":{"Networks":{"edge":{"IPAddress":"","GlobalIPv6Address":"2001:db8::1"},
                                                 "a":{"IPAddress":"192.0.2.1"},"none":{"IPAddress":""}}}},
                 {"Id":"abc2","Names":["bare"],"State":"Exited","Labels":null,"Ports":null,"NetworkSettings":null},
                 {"Id":"../../etc","Names":["/x"]}, 7]
                """#))
        #expect(list.map(\.name) == ["web", "bare"] && list.map(\.state) == [.running, .exited])
        #expect(list[0].health == .unhealthy && list[0].networks.map(\.name) == ["a", "edge"])
        #expect(list[0].ports.map(\.number) == [80, 53] && list[0].ports[0].published == 8080)
        #expect(list[0].ports[0].address == .loopbackIPv4 && list[0].labels == ["a": "b"])
        #expect(throws: EngineFailure.self) { try Container.list(node("{}")) }
        var asked = list[1]
        asked.add(inspected: try node(#"{"Config":{"ExposedPorts":{"53/udp":{},"x/tcp":{},"0/tcp":{}}}}"#))
        #expect(asked.ports.map(\.number) == [53])
    }

    @Test("Events, and those that change nothing")
    func events() throws {
        func event(_ action: String, _ attributes: String = "") throws -> EngineEvent.Effect? {
            let text =
                #"{"Type":"container","Action":"\#(action)","Actor":{"ID":"abc","Attributes":{\#(attributes)}}}"#
            return EngineEvent(try node(text))?.effect
        }
        #expect(try event("die") == .gone)
        #expect(try event("destroy") == .gone)
        #expect(try event("start") == .other)
        #expect(try event("kill", #""signal":"15""#) == .stopping)
        #expect(try event("kill", #""signal":"1""#) == .other)
        #expect(try event("pause") == .paused(true))
        #expect(try event("unpause") == .paused(false))
        #expect(try event("health_status: healthy") == .other)
        #expect(try event("exec_create: sh") == nil)
        #expect(try event("attach") == nil)
        let network = try node(
            #"{"Type":"network","Action":"disconnect","Actor":{"ID":"n","Attributes":{"container":"abc","name":"edge"}}}"#
        )
        #expect(EngineEvent(network)?.effect == .disconnected(network: "edge"))
        #expect(try EngineEvent(node("{}")) == nil)
        #expect(try EngineEvent(node("[]")) == nil)
    }

    @Test("The version that both speak")
    func versions() throws {
        func negotiated(_ newest: String, _ oldest: String = "1.12") -> String? {
            guard let answer = try? node(#"{"ApiVersion":"\#(newest)","MinAPIVersion":"\#(oldest)"}"#) else {
                return nil
            }
            return (try? APIVersion.negotiated(answer))?.description
        }
        #expect(negotiated("1.43") == "1.43" && negotiated("1.99", "1.44") == "1.52" && negotiated("1.24") == "1.24")
        #expect(negotiated("1.12") == nil && negotiated("2.0", "1.60") == nil && negotiated("x") == nil)
        #expect(throws: EngineFailure.self) { try APIVersion.negotiated(.null) }
    }
}
