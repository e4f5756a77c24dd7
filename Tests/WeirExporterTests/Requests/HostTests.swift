import Testing

@testable import WeirExporter

/// Hosts of requests: names that a foreign name server resolves to a loopback address are not served.
@Suite struct HostTests {
    private func request(for host: String, path: String = "/metrics") -> String {
        "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n"
    }

    @Test(
        "On a loopback address, IP literals and localhost are served and other names are not",
        arguments: [
            ("127.0.0.1", 200), ("127.0.0.1:9847", 200), ("[::1]:9847", 200), ("[fe80::1%25eth0]", 200),
            ("10.0.0.1", 200),
            ("localhost", 200), ("LocalHost:1", 200), ("localhost.", 200), ("localhost:", 200),
            ("attacker.example", 421),
            ("attacker.example:9847", 421), ("localhost.attacker.example", 421), ("127.0.0.1.nip.io", 421), ("", 421),
            ("0x7f.1", 421), ("2130706433", 421), ("notlocalhost", 421), ("localhost:9847x", 400), ("a:b:c", 400),
            ("[::1", 400), ("[]", 400), ("::1", 400), ("user@localhost", 400), ("a%zz", 400), ("[::1]x", 400),
        ])
    func loopbackAddress(host: String, status: Int) throws {
        let stepped = try SteppedServer()
        for path in ["/metrics", "/healthz"] {
            let answer = try #require(try stepped.answer(to: request(for: host, path: path)))
            #expect(answer.status == status)
            #expect(answer.text.contains("exporter.hosts") == (status == 421))
        }
        if status == 421 { #expect(stepped.observer.seen.statuses[.misdirected] == 2) }
    }

    @Test("The host of an absolute target counts in place of the field's")
    func absoluteTarget() throws {
        let stepped = try SteppedServer()
        for (target, host, status) in [
            ("http://localhost/metrics", "attacker.example", 200),
            ("http://attacker.example/metrics", "localhost", 421),
            ("http://a:b/metrics", "localhost", 400),
        ] {
            #expect(try stepped.answer(to: "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")?.status == status)
        }
        // No browser asks without a host.
        #expect(try stepped.answer(to: "GET /metrics HTTP/1.0\r\n\r\n")?.status == 200)
        #expect(try stepped.answer(to: "GET /metrics HTTP/1.0\r\nHost: attacker.example\r\n\r\n")?.status == 421)
    }

    @Test("Configured names are served, in any case and with a final dot, and a change holds for the next request")
    func configured() throws {
        var access = ExporterAccess()
        access.hosts = ["Metrics.example.net."]
        let stepped = try SteppedServer(access: access)
        let client = try stepped.client(sending: request(for: "metrics.Example.net:9847"))
        try stepped.turn { client.hasAnswer() }
        #expect(try client.answer()?.status == 200)
        #expect(try stepped.answer(to: request(for: "other.example.net"))?.status == 421)
        #expect(try stepped.answer(to: request(for: "localhost"))?.status == 200)
        stepped.server.update(ExporterAccess())
        client.send(request(for: "metrics.example.net"))
        try stepped.turn { client.hasAnswer() }
        #expect(try client.answer()?.status == 421)
    }

    @Test("On other addresses every name is served, until some are configured")
    func otherAddresses() throws {
        let stepped = try SteppedServer()
        let name = RequestedHost.name(Array("weir.example".utf8))
        #expect(stepped.server.serves(name, isOnLoopback: false))
        #expect(!stepped.server.serves(name, isOnLoopback: true))
        var access = ExporterAccess()
        access.hosts = ["other.example"]
        stepped.server.update(access)
        #expect(!stepped.server.serves(name, isOnLoopback: false))
        #expect(stepped.server.serves(.address, isOnLoopback: false))
        #expect(stepped.server.serves(.none, isOnLoopback: true))
    }
}
