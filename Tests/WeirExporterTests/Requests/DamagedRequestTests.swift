import Foundation
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirExporter

@Suite struct DamagedRequestTests {
    /// One request of this many goes over TCP: its ports stay in TIME_WAIT, and the machine has few.
    private static let tcpShare = 10
    /// And one comes in several pieces.
    private static let splitShare = 4

    /// 20,000 here; `scripts/test --full` sends 100,000.
    @Test("Damaged requests over sockets crash nothing, leave no descriptor, and the next scrape is fine")
    func damagedRequests() async throws {
        let folder = try TemporaryDirectory("exporter")
        let path = try #require(UnixSocketPath(folder.file("s")))
        let observer = TestObserver()
        let exporter = try Exporter(
            ExporterConfiguration(
                listen: [loopback], unixSockets: [UnixListener(path: path)],
                access: ExporterAccess(tokens: [Array("a-token-of-some-length".utf8)])),
            page: TestPage(), observer: observer)
        try await exporter.start()
        let port = exporter.localAddresses[0].port
        let before = Self.openDescriptors()
        var mutator = HeadMutator(chance: SeededGenerator(seed: 7))
        for round in 0..<fuzzRounds(20_000) {
            let client =
                round % Self.tcpShare == 0
                ? try TestClient(port: port, source: 0x7f00_0001 + UInt32(round / Self.tcpShare % 100))
                : try TestClient(unix: path.path)
            let bytes = mutator.next()
            var start = 0
            let splits = round % Self.splitShare == 0 ? mutator.splits(bytes.count) : []
            for split in splits + [bytes.count] {
                client.send(bytes[start..<split])
                start = split
            }
            client.shutdownWriting()
            // The answers to HEAD have no body, so only the end is looked for.
            while try !client.isClosed() { client.dropReceived() }
        }
        try await waitUntil("no connection is left") { await exporter.connectionCount == 0 }
        // Fewer, where an earlier test's sockets went meanwhile.
        #expect(Self.openDescriptors() <= before)
        // The generator reaches what it is meant to reach, or it proves little.
        let statuses = observer.seen.statuses
        for status in [HTTPStatus.ok, .badRequest, .unauthorized, .methodNotAllowed, .versionNotSupported] {
            #expect(statuses[status] ?? 0 > 20, "\(status): \(statuses)")
        }
        let scraper = try TestClient(port: port)
        scraper.send(request("GET", "/metrics", "Authorization: Bearer a-token-of-some-length"))
        #expect(try scraper.answer()?.status == 200)
        await exporter.stop()
    }

    private static func openDescriptors() -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
    }
}
