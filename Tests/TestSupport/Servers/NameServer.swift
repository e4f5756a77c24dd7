import Glibc

/// A small DNS server (RFC 1035) on a loopback address of its own, whose answers a test changes and may make wrong.
/// It needs root, for port 53, and for ``launcher`` and ``run(_:)``.
package final class NameServer: Sendable {
    /// A record of the name that is asked for, or of `owner`.
    package struct Record: Sendable, Equatable {
        package enum Data: Sendable, Equatable {
            case a(String)
            case aaaa(String)
            case alias(String)
            case service(priority: UInt16, weight: UInt16, port: UInt16, target: String)
        }

        package var owner: String?
        package var ttl: UInt32
        package var data: Data

        package init(_ data: Data, ttl: UInt32 = 60, owner: String? = nil) {
            self.owner = owner
            self.ttl = ttl
            self.data = data
        }
    }

    package enum Answer: Sendable, Equatable {
        /// A record for each address of the family that was asked for: none where there is none.
        case addresses([String], ttl: UInt32 = 60)
        /// NXDOMAIN.
        case noSuchName
        /// SERVFAIL.
        case failure
        /// REFUSED.
        case refusal
        /// No answer, and none later.
        case silence
        /// No answer until the test gives another one.
        case held
        /// The truncation flag: the client asks again over TCP, where this server does not listen.
        case truncated
        /// Fewer bytes than the header promises.
        case cutShort
        /// A good answer to another question.
        case wrongIdentifier
        /// A good answer that says it is for another name.
        case wrongQuestion
        /// A true identifier, followed by garbage.
        case noise
        /// A long chain of aliases without an end.
        case aliases(Int)
        /// An alias of itself.
        case aliasOfItself
        /// All aliases, and the records of the type that was asked for.
        case records([Record])
        /// The truncation flag without records; over TCP as `records`.
        case onlyOverTCP([Record])
        /// One answer for questions about IPv6 addresses, and another one for the rest.
        indirect case byFamily(ipv6: Answer, others: Answer)
    }

    private struct State {
        var answers: [String: Answer] = [:]
        var asked: [String: Int] = [:]
        var questions: [String: [String]] = [:]
        var held: [(Question, Endpoint)] = []

        /// Counts a question, and returns its answer.
        mutating func note(_ question: Question, transport: String = "") -> Answer {
            if question.isIPv4 { asked[question.name, default: 0] += 1 }
            questions[question.name, default: []].append(question.typeName + transport)
            return answers[question.name] ?? .noSuchName
        }
    }

    private final class Table: Sendable {
        let state = Shared(State())
    }

    private let table: Table
    private let server: UDPServer
    private let streams: TCPServer?
    private let settings: ResolverSettings

    /// Starts without names. A resolver waits `timeout` seconds for an answer, and asks once; `settings` are further
    /// lines of its resolv.conf(5).
    package init(timeout: Int = 1, overTCP: Bool = false, settings lines: [String] = []) throws {
        let table = Table()
        self.table = table
        (server, streams) = try Self.bound { host in
            let server = try UDPServer(host: host, port: 53) { datagram in
                guard let question = Question(datagram.bytes) else { return [] }
                return table.state.withLock { state in
                    let answer = state.note(question)
                    if answer == .held { state.held.append((question, datagram.source)) }
                    return question.reply(answer).map { [$0] } ?? []
                }
            }
            guard overTCP else { return (server, nil) }
            let streams = try TCPServer(host: host, port: 53) { connection in
                let length = connection.receive(2).bytes
                guard length.count == 2 else { return }
                let message = connection.receive(Int(length[0]) << 8 | Int(length[1])).bytes
                guard let question = Question(message) else { return }
                let answer = table.state.withLock { $0.note(question, transport: "/tcp") }
                guard let reply = question.reply(answer, overTCP: true) else { return }
                try connection.send([UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply)
                // The client closes first.
                _ = connection.receive()
            }
            return (server, streams)
        }
        settings = try ResolverSettings(nameServer: server.endpoint.host, timeout: timeout, lines: lines)
    }

    /// Other tests of this machine may have a name server, too.
    private static func bound<Servers>(_ start: (_ host: String) throws -> Servers) throws -> Servers {
        for _ in 0..<20 {
            let host = "127.77.\(Int.random(in: 0...254)).\(Int.random(in: 1...254))"
            do { return try start(host) } catch let error as SystemFailure {
                if error.code != EADDRINUSE { throw error }
            }
        }
        throw SystemFailure("find a loopback address with a free port 53", code: EADDRINUSE)
    }

    package subscript(_ name: String) -> Answer? {
        get { table.state.withLock { $0.answers[name] } }
        set {
            let late = table.state.withLock { state in
                state.answers[name] = newValue
                let late = state.held.filter { $0.0.name == name && newValue != .held }
                state.held.removeAll { $0.0.name == name && newValue != .held }
                return late
            }
            for (question, source) in late {
                if let reply = question.reply(newValue ?? .noSuchName) { try? server.send(reply, to: source) }
            }
        }
    }

    /// How often the name was asked for; the two families of one look-up count once.
    package func lookUps(of name: String) -> Int { table.state.withLock { $0.asked[name] ?? 0 } }

    /// The types of records that the name was asked for, in their order; `/tcp` stands behind those over TCP.
    package func questions(about name: String) -> [String] { table.state.withLock { $0.questions[name] ?? [] } }

    /// All names that were asked for.
    package var names: Set<String> { table.state.withLock { Set($0.questions.keys) } }

    /// The address of the server, whose port is 53.
    package var host: String { server.endpoint.host }

    /// A prefix for the command of a program that shall ask this server.
    package var launcher: [String] { settings.launcher }

    /// Runs `body` on a thread whose resolver asks this server, and waits for it.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
        try settings.run(body)
    }
}

/// A question and its possible answers.
private struct Question: Sendable {
    let name: String
    private let type: UInt16
    private let identifier: [UInt8]
    /// The question as it was asked: name, type, class.
    private let bytes: [UInt8]

    private enum Record {
        static let a: UInt16 = 1
        static let alias: UInt16 = 5
        static let aaaa: UInt16 = 28
        static let service: UInt16 = 33
    }
    /// Points to the name of the question (RFC 1035 section 4.1.4).
    private static let sameName: [UInt8] = [0xc0, 12]

    init?(_ message: [UInt8]) {
        guard message.count > 16 else { return nil }
        var labels: [String] = []
        var offset = 12
        while offset < message.count, message[offset] != 0 {
            let end = offset + 1 + Int(message[offset])
            guard end < message.count else { return nil }
            labels.append(String(decoding: message[offset + 1..<end], as: UTF8.self))
            offset = end
        }
        guard offset + 5 <= message.count else { return nil }
        type = UInt16(message[offset + 1]) << 8 | UInt16(message[offset + 2])
        guard [Record.a, Record.aaaa, Record.service].contains(type) else { return nil }
        name = labels.joined(separator: ".").lowercased()
        identifier = Array(message[..<2])
        bytes = Array(message[12..<offset + 5])
    }

    var isIPv4: Bool { type == Record.a }
    var typeName: String { type == Record.a ? "A" : type == Record.aaaa ? "AAAA" : "SRV" }

    func reply(_ answer: NameServer.Answer, overTCP: Bool = false) -> [UInt8]? {
        switch answer {
        case .silence, .held: return nil
        case .addresses(let texts, let ttl): return message(records: records(texts, ttl))
        case .noSuchName: return message(code: 3)
        case .failure: return message(code: 2)
        case .refusal: return message(code: 5)
        case .truncated: return message(isTruncated: true)
        case .cutShort: return message(records: records(["127.0.0.1", "::1"], 60)).dropLast(3)
        case .wrongIdentifier:
            let good = message(records: records(["127.0.0.1", "::1"], 60))
            return good[..<2].map { ~$0 } + good[2...]
        case .wrongQuestion:
            var good = message(records: records(["127.0.0.1", "::1"], 60))
            // The first letter of the name.
            good[13] = good[13] == 120 ? 121 : 120
            return good
        case .noise: return identifier + [0x81, 0x80] + Pattern.bytes(200, seed: UInt64(identifier[0]))
        case .aliases(let count): return message(records: aliases(count))
        case .aliasOfItself: return message(records: [record(Self.sameName, Record.alias, 60, Self.sameName)])
        case .records(let records): return message(records: records.compactMap(encoded))
        case .onlyOverTCP(let records):
            return overTCP ? message(records: records.compactMap(encoded)) : message(isTruncated: true)
        case .byFamily(let ipv6, let others): return reply(type == Record.aaaa ? ipv6 : others, overTCP: overTCP)
        }
    }

    /// The record, if it belongs to an answer.
    private func encoded(_ entry: NameServer.Record) -> [UInt8]? {
        let owner = entry.owner.map(Self.encoded) ?? Self.sameName
        switch entry.data {
        case .a(let text), .aaaa(let text):
            let isFour = entry.data == .a(text)
            guard type == (isFour ? Record.a : Record.aaaa) else { return nil }
            var address = [UInt8](repeating: 0, count: isFour ? 4 : 16)
            guard inet_pton(isFour ? AF_INET : AF_INET6, text, &address) == 1 else { return nil }
            return record(owner, type, entry.ttl, address)
        case .alias(let target): return record(owner, Record.alias, entry.ttl, Self.encoded(target))
        case .service(let priority, let weight, let port, let target):
            guard type == Record.service else { return nil }
            return record(
                owner, type, entry.ttl, [priority, weight, port].flatMap(Self.pair) + Self.encoded(target))
        }
    }

    /// A name without pointers; `.` is the root.
    private static func encoded(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    private func message(code: UInt8 = 0, isTruncated: Bool = false, records: [[UInt8]] = []) -> [UInt8] {
        let counts: [UInt16] = [1, UInt16(records.count), 0, 0]
        return identifier + [0x81 | (isTruncated ? 2 : 0), 0x80 | code] + counts.flatMap(Self.pair) + bytes
            + records.joined()
    }

    private func records(_ addresses: [String], _ ttl: UInt32) -> [[UInt8]] {
        guard type != Record.service else { return [] }
        return addresses.filter { $0.contains(":") != isIPv4 }.compactMap { text in
            var address = [UInt8](repeating: 0, count: isIPv4 ? 4 : 16)
            guard inet_pton(isIPv4 ? AF_INET : AF_INET6, text, &address) == 1 else { return nil }
            return record(Self.sameName, isIPv4 ? Record.a : Record.aaaa, ttl, address)
        }
    }

    private func aliases(_ count: Int) -> [[UInt8]] {
        func label(_ number: Int) -> [UInt8] {
            let text = Array("alias\(number)".utf8)
            return [UInt8(text.count)] + text + [0]
        }
        return (0..<count).map { record($0 == 0 ? Self.sameName : label($0), Record.alias, 60, label($0 + 1)) }
    }

    private func record(_ owner: [UInt8], _ type: UInt16, _ ttl: UInt32, _ data: [UInt8]) -> [UInt8] {
        owner + Self.pair(type) + [0, 1] + Self.pair(UInt16(ttl >> 16)) + Self.pair(UInt16(truncatingIfNeeded: ttl))
            + Self.pair(UInt16(data.count)) + data
    }

    private static func pair(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
}
