import TestSupport
import Testing

@testable import WeirStream

/// The first packets of a client of PostgreSQL.
enum PostgresBytes {
    static let sslRequest = packet(80_877_103)
    static let gssRequest = packet(80_877_104)
    static let cancelRequest = packet(80_877_102, [0, 0, 0, 1, 0, 0, 0, 2])
    static let startup = packet(3 << 16, Array("user\0weir\0\0".utf8))

    static func packet(_ code: UInt32, _ body: [UInt8] = [], length: Int? = nil) -> [UInt8] {
        [UInt32(length ?? 8 + body.count), code].flatMap { number in
            stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
        } + body
    }

    /// A matcher whose first route has a name, and whose second takes the rest, if it is open.
    static func matcher(isOpen: Bool = true) throws -> PostgresMatcher {
        let name = try #require(ServerNamePattern("a.db.example.net"))
        let rules = [ServerNameTable.Rule(names: [name], route: 0), ServerNameTable.Rule(route: 1)]
        return PostgresMatcher(try ServerNameTable(Array(rules.prefix(isOpen ? 2 : 1))))
    }
}

@Suite struct PostgresMatcherTests {
    private typealias Bytes = PostgresBytes

    private func verdict(_ bytes: [UInt8], stage: Int = 0, isOpen: Bool = true) throws -> FirstBytesMatch {
        try Bytes.matcher(isOpen: isOpen).match(bytes.span, isEnd: false, stage: stage)
    }

    /// The stage behind a request.
    private func stage(behind request: [UInt8]) throws -> Int {
        guard case .answer(let answer) = try verdict(request) else { throw SystemFailure("no answer") }
        return answer.stage
    }

    @Test func `a request is answered and consumed, and its stage is another`() throws {
        for (request, text) in [(Bytes.sslRequest, "S"), (Bytes.gssRequest, "N")] {
            for count in 0..<8 {
                let wanted = count == 0 ? 1 : 8
                #expect(try verdict(Array(request.prefix(count))) == .needsMore(atLeast: wanted))
            }
            let answer = FirstBytesAnswer(consuming: 8, Array(text.utf8), stage: try stage(behind: request))
            #expect(try verdict(request) == .answer(answer))
            #expect(answer.stage != 0)
        }
    }

    @Test func `bytes that follow a request before its answer are refused`() throws {
        for request in [Bytes.sslRequest, Bytes.gssRequest] {
            for behind in [[0], Bytes.sslRequest, Bytes.startup, HelloBytes.make("a.db.example.net")] {
                #expect(try verdict(request + behind) == .none(.malformed))
            }
        }
    }

    @Test func `behind a granted request only a hello goes on, and its route has a preface`() throws {
        let stage = try stage(behind: Bytes.sslRequest)
        let preface = UpstreamPreface(request: Bytes.sslRequest, answer: [UInt8(ascii: "S")])
        let named = HelloBytes.make("a.db.example.net", ["postgresql"])
        let other = HelloBytes.make("b.db.example.net")
        #expect(try verdict(named, stage: stage) == .route(0, by: .name, preface: preface))
        #expect(try verdict(other, stage: stage) == .route(1, by: .default, preface: preface))
        #expect(try verdict(other, stage: stage, isOpen: false) == .none(.noMatch))
        #expect(try verdict(Array(named.dropLast()), stage: stage) == .needsMore(atLeast: named.count))
        for bytes in [Bytes.sslRequest, Bytes.gssRequest, Bytes.startup, Bytes.cancelRequest, [0], [22, 4]] {
            #expect(try verdict(bytes, stage: stage) == .none(.malformed))
        }
        #expect(try verdict([22, 3, 1, 0x40, 0, 1, 0xff, 0, 0], stage: stage) == .none(.tooLong))
    }

    @Test func `a refused GSSAPI encryption is followed by anything but itself`() throws {
        let stage = try stage(behind: Bytes.gssRequest)
        #expect(try verdict(Bytes.sslRequest, stage: stage) == verdict(Bytes.sslRequest))
        #expect(try verdict(Bytes.startup, stage: stage) == .route(1, by: .notTLS))
        #expect(try verdict(HelloBytes.make("a.db.example.net"), stage: stage) == .route(0, by: .name))
        #expect(try verdict(Bytes.gssRequest, stage: stage) == .none(.malformed))
    }

    @Test func `what names no server goes to the route of the rest`() throws {
        let newer = Bytes.packet(3 << 16 | 2, [UInt8](repeating: 1, count: 200))
        for bytes in [Bytes.startup, Bytes.cancelRequest, newer, Array(Bytes.startup.prefix(8))] {
            #expect(try verdict(bytes) == .route(1, by: .notTLS))
            #expect(try verdict(bytes, isOpen: false) == .none(.noMatch))
        }
    }

    @Test func `a hello at once is matched without a preface`() throws {
        let hello = HelloBytes.make("a.db.example.net", ["postgresql"])
        #expect(try verdict(hello) == .route(0, by: .name))
        #expect(try verdict(HelloBytes.make()) == .route(1, by: .default))
        #expect(try verdict([22, 4]) == .none(.malformed))
    }

    @Test func `packets of impossible lengths are refused`() throws {
        for length in [0, 7, 10_001, 65_535, 65_536, 1 << 24, Int(UInt32.max)] {
            #expect(try verdict(Bytes.packet(3 << 16, length: length)) == .none(.malformed), "\(length)")
        }
        #expect(try verdict(Bytes.packet(80_877_103, [0], length: 9)) == .none(.malformed))
        #expect(try verdict(Bytes.packet(80_877_104, length: 9)) == .none(.malformed))
        for text in ["GET / HTTP/1.1", "SSH-2.0"] { #expect(try verdict(Array(text.utf8)) == .none(.malformed)) }
    }

    @Test func `arbitrary bytes never trap in any stage`() throws {
        var random = SeededGenerator(seed: 12)
        let matcher = try Bytes.matcher()
        let seeds = [Bytes.sslRequest, Bytes.gssRequest, Bytes.startup, HelloBytes.make("a.db.example.net", ["x"])]
        for _ in 0..<fuzzRounds(4_000) {
            var bytes = try #require(seeds.randomElement(using: &random))
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            bytes = Array(bytes.prefix(.random(in: 0...bytes.count, using: &random)))
            switch matcher.match(bytes.span, isEnd: false, stage: .random(in: 0...3, using: &random)) {
            case .needsMore(let wanted): #expect(wanted > bytes.count)
            case .answer(let answer): #expect(answer.consumedByteCount == bytes.count)
            case .route, .none: break
            }
        }
    }
}
