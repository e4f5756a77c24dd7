import Testing

import struct TestSupport.SeededGenerator
import func TestSupport.fuzzRounds

@testable import WeirExporter

/// Makes heads that are almost right.
struct HeadMutator {
    private static let seeds = [
        request(), request("HEAD", "/", "Accept-Encoding: gzip;q=0.5, *;q=0", "Accept: */*;q=2"),
        request("GET", "http://a/metrics", "Content-Length: 12", "Connection: close"),
        request("POST", "/x", "Transfer-Encoding: chunked", "Expect: 100-continue"),
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\nAccept: a;b=\"c,\\\"d\";q=.1\r\n\r\n",
        request("GET", "/healthz", "Authorization: Basic YTpi"), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\r\nGET /metrics HTTP/1.1\nHost: [::1]:1\n\n",
    ].map { Array($0.utf8) }
    private static let awkward = Array("\r\n\t :,;=\"\\*/?#\u{0}\u{7f}".utf8) + [0x80, 0xff]

    var chance: SeededGenerator

    mutating func next() -> [UInt8] {
        if Int.random(in: 0..<20, using: &chance) == 0 {
            return (0..<Int.random(in: 0..<200, using: &chance)).map { _ in .random(in: 0...255, using: &chance) }
        }
        var bytes = Self.seeds.randomElement(using: &chance)!
        for _ in 0..<Int.random(in: 0...4, using: &chance) where !bytes.isEmpty {
            let offset = Int.random(in: 0..<bytes.count, using: &chance)
            switch Int.random(in: 0..<5, using: &chance) {
            case 0: bytes[offset] = .random(in: 0...255, using: &chance)
            case 1: bytes[offset] = Self.awkward.randomElement(using: &chance)!
            case 2: bytes.insert(Self.awkward.randomElement(using: &chance)!, at: offset)
            case 3: bytes.removeSubrange(offset..<min(bytes.count, offset + Int.random(in: 1...8, using: &chance)))
            default: bytes.insert(contentsOf: bytes[offset...].prefix(20), at: offset)
            }
        }
        return bytes
    }

    /// Offsets to split `count` bytes at.
    mutating func splits(_ count: Int) -> [Int] {
        (0..<Int.random(in: 0...6, using: &chance)).map { _ in .random(in: 0...count, using: &chance) }.sorted()
    }
}

@Suite struct RequestHeadFuzzTests {
    @Test("100,000 damaged heads never trap, and mean the same however they are split")
    func damagedHeads() {
        var mutator = HeadMutator(chance: SeededGenerator(seed: 9847))
        var answered = 0
        var refused = 0
        var incomplete = 0
        for round in 0..<fuzzRounds(100_000) {
            let bytes = mutator.next()
            let whole = outcome(of: bytes)
            if outcome(of: bytes, splitAt: mutator.splits(bytes.count)) != whole {
                Issue.record("round \(round): the split changes the outcome of \(bytes)")
                return
            }
            switch whole {
            case .success: answered += 1
            case .failure: refused += 1
            case nil: incomplete += 1
            }
        }
        // The generator reaches all three, or it proves little.
        #expect(min(answered, refused, incomplete) > 1000)
    }
}
