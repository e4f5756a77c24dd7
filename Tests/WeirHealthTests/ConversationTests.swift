import NetworkTypes
import TestSupport
import Testing

@testable import WeirHealth

@Suite("Answers to health checks mean the same however they are split") struct ConversationTests {
    private static let http: HealthCheck = makeHTTP([200...399])

    private static func makeHTTP(_ statuses: [ClosedRange<Int>]) -> HealthCheck {
        do { return HealthCheck(.http(try HTTPCheck(path: "/primary", statuses: statuses))) } catch {
            preconditionFailure("\(error)")
        }
    }

    private static func exchange(
        _ expect: ExchangeCheck.Expectation, over transport: Transport = .tcp
    ) throws -> HealthCheck {
        HealthCheck(.exchange(try ExchangeCheck(over: transport, send: [1], expect: expect)))
    }

    @Test(
        "HTTP: the status of the final head decides",
        arguments: [
            ("HTTP/1.1 200 OK\r\n\r\n", CheckStep.passed), ("HTTP/1.0 204\r\n\r\n", .passed),
            ("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\nbody", .passed),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", .passed),
            ("HTTP/1.1 200 OK\nServer: lone line feeds\n\n", .passed),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", .failed(.status(503))),
            ("HTTP/1.1 101 Switching\r\n\r\n", .failed(.status(101))), ("HTTP/1.1 000 \r\n\r\n", .failed(.status(0))),
            ("HTTP/1.1 200 OK\r\nServer: a\r\n", .more), ("HTTP/1.1 2", .more), ("", .more),
            ("HTTP/2 200\r\n\r\n", .failed(.malformed)), ("HTTP/1.1 20x OK\r\n\r\n", .failed(.malformed)),
            ("HTTP/1.1 2000 OK\r\n\r\n", .failed(.malformed)), ("HTTP/1.1  200 OK\r\n\r\n", .failed(.malformed)),
            ("SSH-2.0-OpenSSH\r\n", .failed(.malformed)), ("\r\nHTTP/1.1 200 OK\r\n\r\n", .failed(.malformed)),
            ("HTTP/1.1 200 OK\r\n\rx", .failed(.malformed)),
        ] as [(String, CheckStep)])
    func http(answer: String, step: CheckStep) {
        #expect(Conversing.verdict(Self.http, Array(answer.utf8)) == step)
    }

    @Test("HTTP: only the statuses of the list pass, and a head without an end fails")
    func statusesAndLength() {
        let check = Self.makeHTTP([200...200, 418...429])
        for (status, passes) in [(200, true), (201, false), (417, false), (418, true), (429, true), (430, false)] {
            let answer = Array("HTTP/1.1 \(status) X\r\n\r\n".utf8)
            let step: CheckStep = passes ? .passed : .failed(.status(status))
            #expect(Conversing.verdict(check, answer) == step)
        }
        let endless = Array("HTTP/1.1 200 OK\r\nA: ".utf8) + [UInt8](repeating: 97, count: 20_000)
        #expect(Conversing.stream(check, endless, step: 1) == .failed(.tooLong))
        #expect(Conversing.stream(check, endless, step: 4_096) == .failed(.tooLong))
        let interim = Array(String(repeating: "HTTP/1.1 102 P\r\n\r\n", count: 2_000).utf8)
        #expect(Conversing.stream(check, interim, step: 1_000) == .failed(.tooLong))
    }

    @Test(
        "Redis: PONG and a demand for a password pass, all other errors fail",
        arguments: [
            ("+PONG\r\n", CheckStep.passed), ("+PONG\r\nmore", .passed),
            ("-NOAUTH Authentication required.\r\n", .passed), ("-NOPERM this user has no permissions\r\n", .passed),
            ("-LOADING Redis is loading the dataset in memory\r\n", .failed(.errorReply("LOADING"))),
            ("-MASTERDOWN Link with MASTER is down\r\n", .failed(.errorReply("MASTERDOWN"))),
            ("-DENIED Redis is running in protected mode\r\n", .failed(.errorReply("DENIED"))),
            ("-ERR max number of clients reached\r\n", .failed(.errorReply("ERR"))),
            ("-\u{1b}[31m\r\n", .failed(.errorReply("unnamed"))), ("-\r\n", .failed(.errorReply("unnamed"))),
            ("+OK\r\n", .failed(.malformed)), ("+PONG\n", .failed(.malformed)), ("$4\r\nPONG\r\n", .failed(.malformed)),
            ("\n", .failed(.malformed)), ("+PON", .more), ("-LOADING", .more), ("", .more),
        ] as [(String, CheckStep)])
    func redis(answer: String, step: CheckStep) {
        #expect(Conversing.verdict(HealthCheck(.redis), Array(answer.utf8)) == step)
    }

    @Test("Redis: a line without an end fails, and a long word is cut")
    func redisBounds() {
        let long = Array("-".utf8) + [UInt8](repeating: 65, count: 600)
        #expect(Conversing.stream(HealthCheck(.redis), long, step: 1) == .failed(.tooLong))
        let word = Array("-".utf8) + [UInt8](repeating: 65, count: 100) + [13, 10]
        #expect(
            Conversing.stream(HealthCheck(.redis), word)
                == .failed(.errorReply(String(repeating: "A", count: 24))))
    }

    @Test(
        "PostgreSQL: an error passes unless it says that no session is taken",
        arguments: [
            ("28000", true), ("28P01", true), ("3D000", true), ("08P01", true), ("0A000", true), ("42501", true),
            ("57P03", false), ("57P01", false), ("57P02", false), ("53300", false), ("58030", false), ("XX000", false),
            ("F0000", false),
        ])
    func postgresErrors(state: String, passes: Bool) throws {
        let check = HealthCheck(.postgres(try PostgresCheck()))
        let step: CheckStep = passes ? .passed : .failed(.sqlState(state))
        #expect(Conversing.verdict(check, Answers.postgresError(state)) == step)
        // A notice may come before.
        let notice = Answers.postgres("N", Array("SNOTICE\0\0".utf8))
        #expect(Conversing.verdict(check, notice + notice + Answers.postgresError(state)) == step)
    }

    @Test("PostgreSQL: a demand for authentication passes, and the end is one that the server does not log")
    func postgresAuthentication() throws {
        let check = HealthCheck(.postgres(try PostgresCheck()))
        for (code, farewell) in [(0, [88, 0, 0, 0, 4]), (3, []), (10, [])] as [(UInt8, [UInt8])] {
            let answer = Answers.postgres("R", [0, 0, 0, code]) + [90]
            #expect(Conversing.verdict(check, answer) == .passed)
            var conversation = Conversing.conversation(check)
            #expect(conversation.farewell == nil)
            _ = conversation.receive(answer[...])
            #expect(conversation.farewell == farewell)
        }
        #expect(Conversing.conversation(HealthCheck(.redis)).farewell == nil)
    }

    @Test(
        "PostgreSQL: what is none of its messages fails",
        arguments: [
            (Array("Efatal: the old form, without a length\0".utf8), CheckStep.failed(.malformed)),
            (Answers.postgres("E", Array("SFATAL\0\0".utf8)), .failed(.malformed)),
            (Answers.postgres("E", Array("C57P0\0\0".utf8)), .failed(.malformed)),
            (Answers.postgres("E", Array("C57p03\0\0".utf8)), .failed(.malformed)),
            (Answers.postgres("E", Array("C57P03".utf8)), .failed(.malformed)),
            (Answers.postgres("E", []), .failed(.malformed)), (Answers.postgres("R", [0]), .failed(.malformed)),
            (Answers.postgres("Z", [73]), .failed(.malformed)), ([78, 0, 0, 0, 3], .failed(.malformed)),
            ([69, 255, 255, 255, 255], .failed(.malformed)), (Array("HTTP/1.1 400\r\n".utf8), .failed(.malformed)),
            ([82, 0, 0, 0], .more), ([82, 0, 0, 0, 8, 0, 0], .more), ([], .more),
        ] as [([UInt8], CheckStep)])
    func postgresGarbage(answer: [UInt8], step: CheckStep) throws {
        #expect(Conversing.verdict(HealthCheck(.postgres(try PostgresCheck())), answer) == step)
    }

    @Test("PostgreSQL: notices without an end fail")
    func postgresNotices() throws {
        let notices = [[UInt8]](repeating: Answers.postgres("N", [UInt8](repeating: 1, count: 100)), count: 200)
        let check = HealthCheck(.postgres(try PostgresCheck()))
        #expect(Conversing.stream(check, Array(notices.joined()), step: 1_000) == .failed(.tooLong))
    }

    @Test(
        "send and expect: the bytes may stand anywhere",
        arguments: [
            ("+PONG", CheckStep.passed), ("220 mail.example.net +PONG\r\n", .passed), ("++PONG", .passed),
            ("+PO+PONG", .passed), ("+PO", .more), ("-ERR\r\n", .more), ("", .more),
        ] as [(String, CheckStep)])
    func expected(answer: String, step: CheckStep) throws {
        let check = try Self.exchange(.bytes(Array("+PONG".utf8)))
        #expect(Conversing.verdict(check, Array(answer.utf8)) == step)
    }

    @Test("send and expect: a pattern that repeats itself is found wherever a plain search finds it")
    func patterns() {
        var chance = SeededGenerator(seed: 81)
        for _ in 0..<2_000 {
            func text(_ count: ClosedRange<Int>) -> [UInt8] {
                (0..<Int.random(in: count, using: &chance)).map { _ in .random(in: 97...98, using: &chance) }
            }
            let (bytes, stream) = (text(1...6), text(0...24))
            let pattern = BytePattern(bytes)
            var matched = 0
            let end = stream.indices.first { pattern.advance(&matched, with: stream[$0]) }
            let first = stream.indices.first {
                $0 + 1 >= bytes.count && stream[...$0].suffix(bytes.count) == bytes[...]
            }
            #expect(end == first, "\(bytes) in \(stream)")
        }
    }

    @Test("send and expect: bounds, datagrams, and what the end of the time means")
    func exchanges() throws {
        let check = try Self.exchange(.bytes([1, 2]))
        #expect(Conversing.stream(check, [UInt8](repeating: 1, count: 20_000), step: 777) == .failed(.noMatch))
        #expect(Conversing.conversation(check).timeoutOutcome == .failure(.timeout))
        var conversation = Conversing.conversation(check)
        #expect(conversation.answerAtEnd == .ended)
        #expect(conversation.receive([9]) == .more)
        #expect(conversation.timeoutOutcome == .unexpected(.noMatch))
        #expect(conversation.answerAtEnd == .noMatch)

        let any = try Self.exchange(.anything)
        #expect(Conversing.verdict(any, [0]) == .passed)
        #expect(Conversing.verdict(any, []) == .more)

        let datagram = try Self.exchange(.bytes([1, 2]), over: .udp)
        #expect(Conversing.datagrams(datagram, [[9], [0, 1, 2]]) == .passed)
        // A datagram is searched by itself.
        #expect(Conversing.datagrams(datagram, [[1], [2]]) == .more)
        #expect(Conversing.datagrams(datagram, .init(repeating: [9], count: 32)) == .failed(.noMatch))
        #expect(Conversing.datagrams(try Self.exchange(.anything, over: .udp), [[]]) == .passed)

        let silence = try Self.exchange(.silence, over: .udp)
        #expect(Conversing.conversation(silence).timeoutOutcome == .success(durationNanoseconds: nil))
        #expect(Conversing.datagrams(silence, [[1]]) == .passed)
    }

    @Test("random and damaged answers never trap, and mean the same however they are split")
    func garbage() throws {
        let checks = [
            Self.http, HealthCheck(.redis), HealthCheck(.postgres(try PostgresCheck())),
            HealthCheck(.dns(try DNSCheck(over: .tcp))), try Self.exchange(.bytes([1, 1, 2])),
        ]
        let seeds = [
            Array("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n".utf8), Array("-LOADING x\r\n+PONG\r\n".utf8),
            Answers.postgres("N", [1, 0]) + Answers.postgresError("57P03"),
            Answers.framed(
                Answers.dns(to: Array(Conversing.opening(checks[3]).dropFirst(2)), records: Answers.record)),
            [1, 1, 1, 2],
        ]
        var chance = SeededGenerator(seed: 14)
        var decided = [Int](repeating: 0, count: checks.count)
        for round in 0..<fuzzRounds(20_000) {
            let kind = round % checks.count
            var bytes = seeds[kind]
            for _ in 0..<Int.random(in: 0...3, using: &chance) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &chance)
                switch Int.random(in: 0..<3, using: &chance) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &chance)
                case 1: bytes.remove(at: index)
                default: bytes.insert(contentsOf: bytes[index...].prefix(5), at: index)
                }
            }
            let whole = Conversing.stream(checks[kind], bytes)
            let step = Int.random(in: 1...7, using: &chance)
            #expect(Conversing.stream(checks[kind], bytes, step: step) == whole, "\(kind): \(bytes)")
            _ = Conversing.datagrams(checks[kind], [bytes])
            if whole != .more { decided[kind] += 1 }
        }
        #expect(decided.allSatisfy { $0 > 100 })
    }
}
