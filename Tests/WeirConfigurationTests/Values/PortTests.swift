import NetworkTypes
import Testing

@testable import WeirConfiguration

@Suite("Ports") struct PortTests {
    @Test(
        "A pair, or one port for both",
        arguments: [
            ("2222:22", 2222, 22), ("22:22", 22, 22), ("53", 53, 53), ("1:65535", 1, 65535),
        ])
    func readsPair(text: String, listen: UInt16, upstream: UInt16) throws {
        #expect(try PortMapping(configured: text) == PortMapping(listen: listen, target: upstream))
    }

    @Test(
        "Everything else is refused",
        arguments: [
            "", ":", "0", "0:80", "80:0", "70000", "65536:1", "abc", "1:2:3", ":80", "80:", "+80", "080", "80:080",
            "-1", "8 0",
            "80 ", "0x50", "8_0", "99999999999999999999999", "٨٠", "8080:http",
        ])
    func refusesPair(text: String) {
        #expect(refusal { () throws(ValueError) in try PortMapping(configured: text) } != nil)
    }

    @Test(
        "Unquoted, quoted and single ports mean the same in a file, whatever YAML takes them for",
        arguments: [
            ("2222:22", 2222, 22), ("22:22", 22, 22), ("\"22:22\"", 22, 22), ("'53:53'", 53, 53), ("53", 53, 53),
            ("1:30", 1, 30),
        ])
    func readsPortsInFiles(text: String, listen: UInt16, upstream: UInt16) throws {
        let configuration = try load("routes:\n  a: {scheme: tcp, host: 192.0.2.7, port: \(text)}\n")
        #expect(configuration.routes[0].ports == [PortMapping(listen: listen, target: upstream)])
    }
}
