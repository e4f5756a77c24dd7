import TestSupport
import Testing

@testable import WeirExporter

@Suite struct GzipStreamTests {
    @Test("One stream compresses page after page, and each comes back whole")
    func roundTrips() throws {
        let gzip = GzipStream()
        var output: [UInt8] = []
        var chance = SeededGenerator(seed: 1)
        for size in [0, 1, 4095, 4096, 4097, 1_000_000, 3, 300_000, 0] {
            let input: [UInt8] = (0..<size).map { _ in UInt8.random(in: 0...255, using: &chance) }
            let count = try #require(gzip.compress(input, into: &output))
            #expect(gunzip(Array(output[..<count])) == input)
        }
    }

    @Test("Text becomes much smaller, and the output keeps its memory")
    func text() throws {
        let gzip = GzipStream()
        var page: [UInt8] = []
        _ = TestPage(size: 500_000).render(.text004, filter: nil, into: &page)
        var output: [UInt8] = []
        let count = try #require(gzip.compress(page, into: &output))
        #expect(count < page.count / 4)
        let size = output.count
        #expect(gzip.compress(page, into: &output) == count)
        #expect(output.count == size)
    }
}
