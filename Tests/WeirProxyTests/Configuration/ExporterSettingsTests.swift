import LinuxIO
import NetworkTypes
import Testing
import WeirConfiguration

@testable import WeirProxy

/// Tests the exporter's settings that its section yields.
struct ExporterSettingsTests {
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    private func configuration(_ exporter: String) throws -> Configuration {
        let text = "exporter: { \(exporter) }\nroutes: { a: { scheme: tcp, port: \"9:10\" } }\n"
        return try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:]).configuration
    }

    @Test("The addresses of the list may connect, and this machine from any of its addresses")
    func allow() throws {
        let section = try configuration("allow: [10.0.0.0/8, '2001:db8::/32', 192.0.2.7]").exporter
        let isAllowed = try #require(section.access.isAllowed)
        let own = try address("198.51.100.1")
        for peer in ["10.255.255.255", "2001:db8::1", "192.0.2.7", "127.0.0.1", "127.9.9.9", "::1", "198.51.100.1"] {
            #expect(isAllowed(try address(peer), own), "\(peer)")
        }
        for peer in ["11.0.0.0", "192.0.2.8", "198.51.100.2", "2001:db9::", "::2", "0.0.0.0"] {
            #expect(!isAllowed(try address(peer), own), "\(peer)")
        }
        #expect(try configuration("max_series: 1000").exporter.access.isAllowed == nil)
    }

    @Test("Addresses and Unix sockets are told apart, and each socket has the permissions of the section")
    func listeners() throws {
        let section = try configuration("listen: [127.0.0.1:1, 'unix:/run/s', '[::1]:2'], socket_mode: 0600").exporter
        #expect(try section.addresses().map(\.description) == ["127.0.0.1:1", "[::1]:2"])
        #expect(section.unixSockets.map { "\($0.path) \(String($0.mode, radix: 8))" } == ["unix:/run/s 600"])
    }

    @Test("The demo and the health probe know Unix sockets, and refuse what is none")
    func otherUses() throws {
        #expect(try Demo.Options(exporter: "unix:/run/s", basePort: 19000).exporter.description == "unix:/run/s")
        #expect(throws: DemoError.self) { try Demo.Options(exporter: "unix:run/s", basePort: 19000) }
        let long = "unix:/" + String(repeating: "a", count: 107)
        for place in ["unix:", long, "127.0.0.1"] {
            #expect(throws: HealthProbe.Failure.self) { try HealthProbe(exporter: place) }
        }
        let probe = try HealthProbe(try configuration("listen: 'unix:/nowhere/s'"))
        let failure = #expect(throws: HealthProbe.Failure.self) { try probe.ask() }
        #expect(failure?.description == "no answer from unix:/nowhere/s: connect: No such file or directory (2)")
    }
}
