import Testing
import WeirMetrics

@testable import WeirExporter

@Suite struct HTTPDateTests {
    @Test(
        "A time is written as HTTP has it",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ])
    func texts(seconds: Int, text: String) {
        var bytes: [UInt8] = []
        HTTPDate(seconds: seconds).append(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test("No time traps", arguments: [Int.min, Int.max, -62_135_596_801, 1 << 40])
    func extremes(seconds: Int) {
        var bytes: [UInt8] = []
        HTTPDate(seconds: seconds / 4).append(to: &bytes)
        #expect(bytes.count == 29)
    }

    @Test("Every answer has the time at which it was made, refusals and pages included")
    func everyAnswer() async throws {
        let exporter = try await Exporter.serve(MetricsRegistry(shardCount: 0), at: "127.0.0.1:0")
        let client = try TestClient(port: try #require(exporter.localAddresses.first).port)
        for path in ["/metrics", "/healthz", "/", "/nothing"] {
            let before = HTTPDate.now.seconds
            client.send(request("GET", path))
            let answer = try #require(try client.answer())
            let possible = (before...HTTPDate.now.seconds).map { seconds in
                var bytes: [UInt8] = []
                HTTPDate(seconds: seconds).append(to: &bytes)
                return String(decoding: bytes, as: UTF8.self)
            }
            #expect(possible.contains(answer.headers["date"] ?? "none"), "\(path)")
        }
        await exporter.stop()
    }
}
