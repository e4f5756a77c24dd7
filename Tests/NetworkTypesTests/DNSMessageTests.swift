import TestSupport
import Testing

@testable import NetworkTypes

/// A message, piece by piece.
private struct Answer {
    var head: [UInt8] = [0x12, 0x34, 0x81, 0x80]
    var question = DNSQuestion.of("www.example", .a)
    var records: [[UInt8]] = []
    var more: [UInt8] = []

    var bytes: [UInt8] {
        var bytes = head + [0, 1]
        bytes += pair(records.count) + [0, 0, 0, 0]
        return bytes + question.bytes + records.joined() + more
    }

    func read() -> DNSAnswer? { DNSMessage(bytes[...])?.answer(to: question) }
}

private func pair(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 255), UInt8(number & 255)] }

private func record(
    _ owner: String, _ type: Int, ttl: UInt32 = 60, dnsClass: Int = 1, _ data: [UInt8]
) -> [UInt8] {
    let numbers = [type, dnsClass, Int(ttl >> 16), Int(ttl & 0xffff), data.count]
    return name(owner) + numbers.flatMap(pair) + data
}

/// The name of the question, by a pointer, or another one as it is.
private func name(_ text: String) -> [UInt8] {
    text == "@" ? [0xc0, 12] : DNSName(text)?.bytes ?? []
}

extension DNSQuestion {
    fileprivate static func of(_ text: String, _ type: DNSRecordType) -> DNSQuestion {
        // The tests write names only.
        DNSQuestion(DNSName(text)!, type)
    }
}

@Suite struct DNSMessageTests {
    private static func address(_ text: String) -> DNSRecord.Content? { IPAddress(text).map { .address($0) } }

    @Test func `addresses of both families are read, with the smallest time to live`() {
        var answer = Answer()
        answer.records = [
            record("@", 1, ttl: 300, [192, 0, 2, 1]), record("WWW.example", 1, ttl: 20, [192, 0, 2, 2]),
        ]
        #expect(
            answer.read()
                == DNSAnswer(
                    contents: [Self.address("192.0.2.1"), Self.address("192.0.2.2")].compactMap { $0 },
                    timeToLiveSeconds: 20))
        answer.question = .of("www.example", .aaaa)
        answer.records = [record("@", 28, [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [7])]
        #expect(answer.read()?.contents == [Self.address("2001:db8::7")].compactMap { $0 })
    }

    @Test func `services are read`() {
        var answer = Answer()
        answer.question = .of("_radius._udp.example", .srv)
        answer.records = [
            record("@", 33, ttl: 5, [0, 10, 0, 60, 7, 20] + name("a.example")),
            // The target's end is that of the question.
            record("@", 33, ttl: 9, [0, 20, 0, 0, 7, 21, 1, 98, 0xc0, 25]),
            record("@", 33, [0, 0, 0, 0, 0, 0, 0]),
        ]
        let services = [(10, 60, 1812, "a.example"), (20, 0, 1813, "b.example"), (0, 0, 0, ".")].compactMap { entry in
            DNSName(entry.3).map {
                DNSRecord.Content.service(
                    DNSService(
                        priority: UInt16(entry.0), weight: UInt16(entry.1), port: UInt16(entry.2), target: $0))
            }
        }
        #expect(answer.read() == DNSAnswer(contents: services, timeToLiveSeconds: 5))
    }

    @Test func `aliases are followed in any order, and their times count`() {
        var answer = Answer()
        answer.records = [
            record("c.example", 1, ttl: 100, [192, 0, 2, 3]), record("b.example", 5, ttl: 30, name("c.example")),
            record("@", 5, ttl: 50, name("B.EXAMPLE")), record("other.example", 1, ttl: 1, [192, 0, 2, 9]),
            record("c.example", 28, ttl: 2, .init(repeating: 1, count: 16)),
        ]
        #expect(
            answer.read()
                == DNSAnswer(contents: [Self.address("192.0.2.3")].compactMap { $0 }, timeToLiveSeconds: 30))
        // Without the last step there is no record, which is an answer.
        answer.records.removeFirst()
        #expect(answer.read() == DNSAnswer(contents: [], timeToLiveSeconds: 0))
    }

    @Test func `aliases in a circle, and more than the bound, are no answer`() {
        var answer = Answer()
        answer.records = [record("@", 5, name("b.example")), record("b.example", 5, name("www.example"))]
        #expect(answer.read() == nil)
        func chain(_ count: Int) -> [[UInt8]] {
            (0..<count).map { record($0 == 0 ? "@" : "a\($0).example", 5, name("a\($0 + 1).example")) }
                + [record("a\(count).example", 1, [192, 0, 2, 1])]
        }
        answer.records = chain(DNSMessage.maxAliases)
        #expect(answer.read()?.contents.count == 1)
        answer.records = chain(DNSMessage.maxAliases + 1)
        #expect(answer.read() == nil)
    }

    @Test func `a time to live with the top bit set is 0`() {
        var answer = Answer()
        for (time, counted) in [(0x7fff_ffff, 0x7fff_ffff), (0x8000_0000, 0), (.max, 0)] as [(UInt32, UInt32)] {
            answer.records = [record("@", 1, ttl: time, [192, 0, 2, 1])]
            #expect(answer.read()?.timeToLiveSeconds == counted)
        }
    }

    @Test func `other types and classes are passed over, and so is what follows the answers`() {
        var answer = Answer()
        answer.records = [
            record("@", 46, [1, 2, 3]), record("@", 1, dnsClass: 3, [1]), record("@", 16, [0]),
            record("@", 1, [192, 0, 2, 1]),
        ]
        answer.more = [0xff, 0xff]
        #expect(answer.read()?.contents.count == 1)
    }

    @Test func `an answer to another question is none`() throws {
        var answer = Answer()
        answer.records = [record("@", 1, [192, 0, 2, 1])]
        let message = try #require(DNSMessage(answer.bytes[...]))
        #expect(message.answer(to: .of("WWW.EXAMPLE", .a)) != nil)
        #expect(message.answer(to: .of("wwx.example", .a)) == nil)
        #expect(message.answer(to: .of("www.example", .aaaa)) == nil)
        #expect(message.answer(to: .of("www.example.net", .a)) == nil)
    }

    @Test func `data of a wrong length, and names that end elsewhere than their data, are malformed`() {
        var answer = Answer()
        for (type, data) in [
            (1, [192, 0, 2]), (1, [192, 0, 2, 1, 1]), (28, [192, 0, 2, 1]), (5, name("a.b") + [0]), (5, []),
            (5, [1, 97]), (33, [0, 1, 0, 1, 0, 1]), (33, [0, 1]), (33, [0, 1, 0, 1, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])] {
            answer.records = [record("@", type, data)]
            #expect(answer.read() == nil, "\(type) \(data)")
        }
    }

    @Test func `no length of a message, no count and no byte traps`() {
        var answer = Answer()
        answer.records = [
            record("@", 5, name("b.example")), record("b.example", 1, [192, 0, 2, 1]),
            record("@", 33, [0, 1, 0, 2, 0, 3] + name("a.example")),
        ]
        let bytes = answer.bytes
        for count in 0..<bytes.count {
            #expect(DNSMessage(bytes[..<count])?.answer(to: answer.question) == nil)
            #expect((DNSMessage(bytes[..<count]) == nil) == (count < DNSMessage.headerLength))
        }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<fuzzRounds(20_000) {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                damaged[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let message = DNSMessage(damaged[...])
            _ = message?.isWhole
            _ = message?.answer(to: answer.question)
            let records = message?.answerRecords ?? []
            #expect(records.count * 11 <= damaged.count)
        }
    }
}
