import TestSupport
import Testing

@testable import WeirExporter

extension GzipStream {
    /// Compresses all of `input` in pieces, and returns how many bytes of `output` are the result.
    fileprivate func compress(_ input: [UInt8], pieces: Int = .max, into output: inout [UInt8]) -> Int? {
        guard begin() else { return nil }
        var progress = Progress()
        while true {
            let before = progress.consumed
            guard let isComplete = compress(input, &progress, atMost: pieces, into: &output) else { return nil }
            if isComplete { return progress.produced }
            guard progress.consumed > before, progress.consumed - before <= pieces else { return nil }
        }
    }
}

@Suite struct GzipStreamTests {
    @Test(
        "One stream compresses page after page, in pieces of any size, and each comes back whole",
        arguments: [1000, 4096, .max])
    func roundTrips(pieces: Int) throws {
        let gzip = GzipStream()
        var output: [UInt8] = []
        var chance = SeededGenerator(seed: 1)
        for size in [0, 1, 4095, 4096, 4097, 1_000_000, 3, 300_000, 0] {
            let input: [UInt8] = (0..<size).map { _ in UInt8.random(in: 0...255, using: &chance) }
            let count = try #require(gzip.compress(input, pieces: pieces, into: &output))
            #expect(gunzip(Array(output[..<count])) == input)
        }
    }

    @Test("Text becomes much smaller, and the output keeps its memory")
    func text() throws {
        let gzip = GzipStream()
        let page = TestPage(size: 500_000).bytes()
        var output: [UInt8] = []
        let count = try #require(gzip.compress(page, into: &output))
        #expect(count < page.count / 4)
        let size = output.count
        #expect(gzip.compress(page, into: &output) == count)
        #expect(output.count == size)
    }
}
