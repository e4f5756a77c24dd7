import NetworkTypes
import Testing

@testable import WeirHealth

@Suite("Answers of name servers") struct DNSConversationTests {
    private let udp: HealthCheck
    private let tcp: HealthCheck
    /// The question as a datagram.
    private let question: [UInt8]

    init() throws {
        udp = HealthCheck(.dns(try DNSCheck(name: "Example.net", type: .soa, over: .udp)))
        tcp = HealthCheck(.dns(try DNSCheck(name: "Example.net", type: .soa, over: .tcp)))
        question = Conversing.opening(udp)
    }

    private func verdict(_ message: [UInt8]) -> CheckStep {
        let datagram = Conversing.datagrams(udp, [message])
        let stream = Conversing.verdict(tcp, Answers.framed(message))
        // On a stream there is no second message.
        let expected: CheckStep = datagram == .more ? .failed(.malformed) : datagram
        #expect(stream == expected)
        return datagram
    }

    @Test("the question is a standard query with one question, and over a stream its length stands in front")
    func questions() throws {
        #expect(question.prefix(12) == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        #expect(Array(question[12...]) == Array("\u{7}Example\u{3}net\0\0\u{6}\0\u{1}".utf8))
        #expect(Conversing.opening(tcp) == Answers.framed(question))
        let root = Conversing.opening(HealthCheck(.dns(try DNSCheck(over: .udp))))
        #expect(root.dropFirst(12) == [0, 0, 2, 0, 1])
    }

    @Test("an answer with records, without any, in other case, truncated, and for a name that does not exist")
    func passing() {
        #expect(verdict(Answers.dns(to: question)) == .passed)
        #expect(verdict(Answers.dns(to: question, records: Answers.record)) == .passed)
        #expect(verdict(Answers.dns(to: question, code: 3)) == .passed)
        var lower = Answers.dns(to: question)
        lower[13] |= 0x20
        #expect(verdict(lower) == .passed)
        // TC: the records that are counted are not there.
        #expect(verdict(Answers.dns(to: question, flags: 0x82, counts: [0, 1, 0, 9, 0, 0, 0, 0])) == .passed)
    }

    @Test("other response codes, also without the question")
    func codes() throws {
        for code in [1, 2, 4, 5, 9] as [UInt8] {
            #expect(verdict(Answers.dns(to: question, code: code)) == .failed(.responseCode(Int(code))))
            let head: [UInt8] = [0x12, 0x34, 0x81, code, 0, 0, 0, 0, 0, 0, 0, 0]
            #expect(verdict(head) == .failed(.responseCode(Int(code))))
        }
        let refusing = HealthCheck(
            .dns(try DNSCheck(name: "Example.net", type: .soa, accepted: [.refused], over: .udp)))
        #expect(Conversing.datagrams(refusing, [Answers.dns(to: question, code: 5)]) == .passed)
        #expect(Conversing.datagrams(refusing, [Answers.dns(to: question)]) == .failed(.responseCode(0)))
    }

    @Test("messages that are no answer to this question are passed over, up to a bound")
    func foreign() {
        let good = Answers.dns(to: question)
        var others: [[UInt8]] = [[], [1], question, Array(good[..<11])]
        // Another identifier, another opcode, another name, another type, two questions.
        for (offset, value) in [(0, 9), (2, 0x89), (13, 88), (26, 1), (5, 2)] as [(Int, UInt8)] {
            var other = good
            other[offset] = value
            others.append(other)
        }
        for other in others { #expect(verdict(other) == .more, "\(other)") }
        #expect(Conversing.datagrams(udp, others + [good]) == .passed)
        #expect(Conversing.datagrams(udp, .init(repeating: question, count: 32)) == .failed(.malformed))
    }

    @Test("answers whose records leave the message, or whose names are none, fail")
    func damaged() {
        let good = Answers.dns(to: question, records: Answers.record)
        for count in 1..<Answers.record.count {
            #expect(verdict(Array(good.dropLast(count))) == .failed(.malformed))
        }
        var longData = good
        longData[good.count - 4] = 200
        #expect(verdict(longData) == .failed(.malformed))
        var reserved = good
        reserved[question.count] = 0x80
        #expect(verdict(reserved) == .failed(.malformed))
        // Counts of 65,535 end with the message.
        let counts: [UInt8] = [0, 1, 255, 255, 255, 255, 255, 255]
        #expect(verdict(Answers.dns(to: question, counts: counts)) == .failed(.malformed))
        // No question in an answer that is no error.
        #expect(verdict([0x12, 0x34, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0]) == .failed(.malformed))
    }

    @Test("the length of a stream's message has bounds")
    func lengths() {
        #expect(Conversing.verdict(tcp, [0, 11]) == .failed(.malformed))
        #expect(Conversing.verdict(tcp, [255, 255]) == .failed(.tooLong))
        #expect(Conversing.verdict(tcp, [0, 12]) == .more)
        #expect(Conversing.verdict(tcp, [0]) == .more)
    }
}
