import TestSupport
import Testing

@testable import WeirStream

@Suite struct ProxyHeaderParserTests {
    private func scan(_ bytes: [UInt8]) -> ProxyHeaderScan { ProxyHeaderParser.parse(stream: bytes.span) }

    /// Returns the result of a scan as an outcome of the corpus. An incomplete header is one that the stream's end
    /// truncates.
    private func outcome(_ scan: ProxyHeaderScan, of bytes: [UInt8]) -> HeaderVector.Outcome {
        switch scan {
        case .incomplete: .refused(bytes.isEmpty ? "missing" : "truncated")
        case .invalid(let error): .refused(error.rawValue)
        case .complete(let header):
            header.addresses.map { .client($0.source.description, at: $0.destination.description) } ?? .peer
        }
    }

    @Test(arguments: HeaderVector.all) func `every vector has the outcome of the table`(vector: HeaderVector) {
        #expect(outcome(scan(vector.bytes), of: vector.bytes) == vector.outcome)
    }

    @Test(arguments: HeaderVector.datagrams)
    func `every datagram comes to what the table says`(vector: HeaderVector) {
        let scan = ProxyHeaderParser.parse(datagram: vector.bytes.span)
        #expect(scan != .incomplete)
        #expect(outcome(scan, of: vector.bytes) == vector.outcome)
    }

    @Test(arguments: HeaderVector.all.filter(\.isAccepted))
    func `a good header is incomplete up to its last byte, and payload behind it is not touched`(vector: HeaderVector) {
        for count in 0..<vector.bytes.count { #expect(scan(Array(vector.bytes[..<count])) == .incomplete, "\(count)") }
        for payload in [[], [0x0a], Array("\r\n\r\n".utf8), vector.bytes, Pattern.bytes(5_000)] {
            guard case .complete(let header) = scan(vector.bytes + payload) else {
                Issue.record("not complete with \(payload.count) bytes behind it")
                continue
            }
            #expect(header.length == vector.bytes.count)
            #expect(header.version == (vector.bytes[0] == 0x50 ? .v1 : .v2))
        }
    }

    @Test(arguments: HeaderVector.all.filter { !$0.isAccepted })
    func `a bad header never looks good on the way, and stays bad whatever follows`(vector: HeaderVector) {
        var isRefused = false
        for count in 0...vector.bytes.count {
            switch scan(Array(vector.bytes[..<count])) {
            case .incomplete: #expect(!isRefused, "undecided again at \(count)")
            case .invalid: isRefused = true
            case .complete: Issue.record("complete at \(count)")
            }
        }
        guard isRefused else { return }
        for payload in [[0x0d, 0x0a], Pattern.bytes(5_000)] {
            guard case .invalid = scan(vector.bytes + payload) else {
                Issue.record("no longer refused")
                continue
            }
        }
    }

    @Test func `the longest line is 107 bytes, the longest binary header 4,096`() throws {
        #expect(try #require(HeaderVector.all.first { $0.name == "exactly 107 bytes" }).bytes.count == 107)
        #expect(try #require(HeaderVector.all.first { $0.name.hasPrefix("4,096") }).bytes.count == 4_096)
        #expect(HeaderVector.all.filter(\.isAccepted).allSatisfy { $0.bytes.count <= 4_096 })
    }

    @Test func `the checksum is the one of RFC 4960`() {
        let digits = Array("123456789".utf8)
        #expect(CRC32C.checksum(of: digits.span) == 0xe306_9283)
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0, count: 32).span) == 0x8a91_36aa)
        #expect(
            CRC32C.checksum(of: digits.span, zeroing: 2..<5) == CRC32C.checksum(of: Array("12\0\0\u{0}6789".utf8).span))
    }

    @Test func `arbitrary bytes behind a good beginning never trap, and more bytes never undo a no`() {
        var random = SeededGenerator(seed: 4)
        let beginnings = [Array("PROXY ".utf8), ProxyHeaderParser.signatureOfV2] + HeaderVector.all.map(\.bytes)
        for _ in 0..<fuzzRounds(4_000) {
            var bytes = beginnings[Int(random.next() % UInt64(beginnings.count))]
            for _ in 0..<random.next() % 4 where !bytes.isEmpty {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            bytes += (0..<random.next() % 40).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let cut = Int(random.next() % UInt64(bytes.count + 1))
            let (part, whole) = (scan(Array(bytes[..<cut])), scan(bytes))
            switch part {
            case .incomplete: break
            case .complete: #expect(whole == part)
            case .invalid:
                guard case .invalid = whole else {
                    Issue.record("\(bytes) cut at \(cut): \(part), then \(whole)")
                    continue
                }
            }
            _ = ProxyHeaderParser.parse(datagram: bytes.span)
        }
    }
}
