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
        asked.add(
            Container.Inspection(try node(#"{"Config":{"ExposedPorts":{"53/udp":{},"x/tcp":{},"0/tcp":{}}}}"#)))
        #expect(asked.ports.map(\.number) == [53])
    }

    @Test("Podman's list, which says less, and its inspection")
    func podman() throws {
        // As Podman 4.3 has written them, shortened.
        let list = try Container.list(
            node(
                #"""
                [{"Id":"abc1","Names":["/web"],"Created":1796045904,"Labels":{"a":"b"},"State":"running",
                  "Status":"Up 2 seconds","Ports":[{"IP":"127.0.0.1","PrivatePort":7,"PublicPort":3333,"Type":"tcp"}],
                  "NetworkSettings":{"Networks":{"edge":{"NetworkID":"edge","IPAddress":"198.18.7.23",
                                                         "GlobalIPv6Address":"fd00:7::17"}}},
                  "Name":"","Config":null,"NetworkingConfig":null,"Platform":null,"AdjustCPUShares":false},
                 {"Id":"abc2","Names":["/host"],"Ports":[],"Labels":{},"State":"stopping","Status":"Stopping",
                  "NetworkSettings":{"Networks":null}},
                 {"Id":"abc3","Names":["/done"],"Ports":[],"Labels":{},"State":"stopped",
                  "Status":"Exited (1) 2 seconds ago","NetworkSettings":{"Networks":{"edge":{"IPAddress":""}}}},
                 {"Id":"abc4","Names":["/new"],"Ports":[],"Labels":{},"State":"initialized","Status":"Initialized",
                  "NetworkSettings":{"Networks":null}}]
                """#))
        #expect(list.map(\.state) == [.running, .running, .exited, .created])
        #expect(list.map(\.isStopping) == [false, true, false, false] && list.allSatisfy(\.isAbridged))
        #expect(list[0].networks.map { "\($0.address)" } == ["198.18.7.23"] && list[2].networks == [])
        var asked = list[0]
        asked.add(
            Container.Inspection(
                try node(
                    #"""
                    {"State":{"Status":"running","Health":{"Status":"unhealthy","FailingStreak":3,"Log":null}},
                     "HostConfig":{"NetworkMode":"host"},"Config":{"ExposedPorts":{"7/tcp":{},"7/udp":{}}}}
                    """#)))
        #expect(asked.networkMode == "host" && asked.health == .unhealthy && !asked.isAbridged)
        #expect(asked.ports.map { "\($0.number)/\($0.transport.rawValue)" } == ["7/tcp", "7/udp"])
        #expect(asked.ports[0].published == 3333)
        // Docker's own list is believed.
        var docker = Container(id: "abc5", name: "x")
        docker.health = .healthy
        docker.add(Container.Inspection(try node(#"{"State":{"Health":{"Status":"unhealthy"}}}"#)))
        #expect(docker.health == .healthy)
        // Without a health check it has an empty status.
        #expect(Container.Inspection(try node(#"{"State":{"Health":{"Status":""}}}"#)).health == .none)
        #expect(Container.Inspection(.null).networkMode == "")
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
        #expect(try event("start") == .started)
        #expect(try event("restart") == .started)
        #expect(try event("stop") == .other)
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
        // Podman's actor is the container, and the network has no name.
        let left = try node(
            #"{"status":"disconnect","id":"abc","Type":"network","Action":"disconnect","Actor":{"ID":"abc","Attributes":{"containerExitCode":"0","image":"","name":"two","podId":""}}}"#
        )
        #expect(EngineEvent(left)?.container == "abc" && EngineEvent(left)?.effect == .disconnected(network: nil))
        // A signal without its number may be any, as Podman's are.
        #expect(try event("kill", #""name":"two""#) == .other)
        #expect(try event("died") == .gone)
        #expect(try event("remove") == .gone)
        #expect(try event("health_status") == .other)
        #expect(try event("exec_died") == nil)
        #expect(try event("cleanup") == nil)
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
