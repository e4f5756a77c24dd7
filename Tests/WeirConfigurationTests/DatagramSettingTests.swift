import NetworkTypes
import Testing

@testable import WeirConfiguration

@Suite("Settings of UDP routes") struct DatagramSettingTests {
    private func parse(_ text: String) throws -> (udp: [UDPSettings?], warnings: [String]) {
        let loaded = try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:])
        return (loaded.configuration.routes.map(\.udp), loaded.warnings.map(\.description))
    }

    @Test("dont_fragment and amplification are off unless they are written, and `off` takes back what defaults say")
    func values() throws {
        let parsed = try parse(
            """
            defaults: { amplification: 3, dont_fragment: true }
            routes:
              a: { scheme: udp, host: 192.0.2.1, port: 1 }
              b: { scheme: udp, host: 192.0.2.1, port: 2, amplification: off, dont_fragment: false }
              c: { scheme: tcp, host: 192.0.2.1, port: 3 }
            """)
        #expect(parsed.udp == [UDPSettings(dontFragment: true, amplification: 3), UDPSettings(), nil])
        #expect(parsed.warnings == [])
    }

    @Test("amplification beside responses is a warning, once for each place where it is written")
    func amplificationOfAnswers() throws {
        let parsed = try parse(
            """
            defaults: { amplification: 3 }
            routes:
              a: { scheme: udp, host: 192.0.2.1, port: 1, responses: 1 }
              b: { scheme: udp, host: 192.0.2.1, port: 2, responses: 1 }
              c: { scheme: udp, host: 192.0.2.1, port: 3, responses: 1, amplification: 5 }
              d: { scheme: udp, host: 192.0.2.1, port: 4 }
              e: { scheme: udp, host: 192.0.2.1, port: 5, responses: 1, amplification: off }
            """)
        #expect(
            parsed.warnings.map { String($0.prefix(57)) } == [
                "weir.yml:1:28: warning: `amplification: 3` beside `respon",
                "weir.yml:5:76: warning: `amplification: 5` beside `respon",
            ])
    }
}
