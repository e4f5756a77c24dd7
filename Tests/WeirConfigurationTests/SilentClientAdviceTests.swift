import Testing

@testable import WeirConfiguration

@Suite("Advice about silent clients") struct SilentClientAdviceTests {
    private func advice(_ text: String) throws -> [String] {
        try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:]).advice.map(\.description)
    }

    @Test("One line names all routes on every address whose silent clients nothing limits")
    func told() throws {
        let text = """
            routes:
              a: { scheme: tcp, host: 192.0.2.1, port: 1:2 }
              b: { scheme: tcp4, bind: 0.0.0.0, host: 192.0.2.1, port: 2:2 }
              local: { scheme: tcp, bind: 127.0.0.1, host: 192.0.2.1, port: 3:2 }
              timed: { scheme: tcp, host: 192.0.2.1, port: 4:2, idle_timeout: 1h }
              limited: { scheme: tcp, host: 192.0.2.1, port: 5:2, max_connections_per_ip: 9 }
              datagrams: { scheme: udp, host: 192.0.2.1, port: 6:2 }
            """
        #expect(
            try advice(text) == [
                "weir.yml:2:3: warning: the routes `a`, `b` listen on every address, and silent connections of one "
                    + "client can take all places: set `limits.max_connections_per_ip`, or `idle_timeout`"
            ])
        #expect(try advice("limits: { max_connections_per_ip: 100 }\n" + text).isEmpty)
        #expect(try advice("defaults: { idle_timeout: 1h }\n" + text).isEmpty)
        let one = try advice(route("host: 192.0.2.1"))
        #expect(one.count == 1 && one.first?.contains("route `a` listens on every address") == true)
    }

    @Test("Of many routes five are named")
    func many() throws {
        let routes = (1...9).map { "  r\($0): { scheme: tcp, host: 192.0.2.1, port: \($0):80 }\n" }.joined()
        #expect(try advice("routes:\n" + routes).first?.contains("`r4`, `r5` and 4 others listen") == true)
    }
}
