import LinuxIO
import NetworkTypes
import Testing

@testable import WeirProxy

struct SharedAddressDetectorTests {
    private func warnings(_ texts: [String]) throws -> Int {
        let watch = SharedAddressDetector()
        return try texts.map { try #require(IPAddress($0)) }.count { watch.note($0) }
    }

    @Test("Sixteen clients of one private address are told once", arguments: ["172.17.0.1", "fd00::1", "10.0.2.2"])
    func gateway(_ text: String) throws {
        let clients = Array(repeating: text, count: SharedAddressDetector.clients)
        #expect(try warnings(clients.dropLast()) == 0)
        #expect(try warnings(clients) == 1)
        #expect(try warnings(clients + clients + clients) == 1)
    }

    @Test("Another client, or a public address, answers the question for good")
    func others() throws {
        let clients = Array(repeating: "172.17.0.1", count: 3 * SharedAddressDetector.clients)
        #expect(try warnings(["172.17.0.2"] + clients) == 0)
        #expect(try warnings(clients.prefix(15) + ["172.17.0.2"] + clients) == 0)
        #expect(try warnings(["192.0.2.1"] + clients) == 0)
        #expect(try warnings(Array(repeating: "192.0.2.1", count: 40)) == 0)
    }

    @Test("Clients on this machine say nothing")
    func loopback() throws {
        #expect(try warnings(Array(repeating: "127.0.0.1", count: 40)) == 0)
        #expect(
            try warnings(
                (0..<16).flatMap { _ in ["127.0.0.1", "172.17.0.1", "::1"] }) == 1)
    }
}
