import TestSupport
import Testing

@testable import LinuxIO
@testable import NetworkTypes

/// Answers from a table: `"A name"` to addresses, or a failure.
private struct Scripted {
    typealias Table = [String: Result<[String], AddressLookup.Failure>]

    let asked = Shared<[String]>([])
    let lookup: RecordLookup

    init(_ table: Table, search: SearchList = SearchList(), local: [String: String] = [:]) {
        let asked = asked
        lookup = RecordLookup(
            searchList: { search },
            ask: { question throws(AddressLookup.Failure) in
                let text = "\(question.type == .a ? "A" : "AAAA") \(question.name.text ?? "")"
                asked.withLock { $0.append(text) }
                let contents = try (table[text] ?? .failure(.notFound)).get().compactMap { IPAddress($0) }
                return DNSAnswer(contents: contents.map { .address($0) }, timeToLiveSeconds: UInt32(text.count))
            },
            isLocal: { local[$0] != nil },
            resolveLocal: { name throws(AddressLookup.Failure) in
                [IPAddress(local[name] ?? "").map { SocketAddress($0, port: 0) }].compactMap { $0 }
            })
    }

    var questions: [String] { asked.withLock { $0 } }
}

private func addresses(_ texts: String...) -> [SocketAddress] {
    texts.compactMap { IPAddress($0).map { SocketAddress($0, port: 0) } }
}

@Suite struct RecordLookupTests {
    private static let lists = SearchList(dots: 2, domains: ["one.example", "two.example"])

    @Test func `literals and names of the hosts file ask no server, and have no time to live`() throws {
        let names = Scripted([:], local: ["here": "127.0.0.3"])
        #expect(try names.lookup.addresses(of: "192.0.2.1") == HostAddresses(addresses("192.0.2.1")))
        #expect(try names.lookup.addresses(of: "2001:db8::1") == HostAddresses(addresses("2001:db8::1")))
        #expect(try names.lookup.addresses(of: "here") == HostAddresses(addresses("127.0.0.3")))
        #expect(try names.lookup.addresses(of: "here.") == HostAddresses(addresses("127.0.0.3")))
        #expect(throws: AddressLookup.Failure.notFound) { try names.lookup.addresses(of: "fe80::1%no-such-if") }
        #expect(throws: AddressLookup.Failure.notFound) { try names.lookup.addresses(of: "no name") }
        #expect(names.questions == [])
    }

    @Test func `both families are asked for, and the smaller time counts`() throws {
        let names = Scripted(["A db": .success(["192.0.2.2", "192.0.2.1"]), "AAAA db": .success(["2001:db8::1"])])
        let expected = addresses("192.0.2.1", "192.0.2.2", "2001:db8::1")
        #expect(try names.lookup.addresses(of: "db.") == HostAddresses(expected, timeToLive: .seconds(4)))
        #expect(names.questions == ["A db", "AAAA db"])
    }

    @Test func `the first name with an address of either family ends the search`() throws {
        let names = Scripted(
            ["AAAA db.one.example": .success(["2001:db8::1"]), "A db.two.example": .success(["192.0.2.1"])],
            search: Self.lists)
        #expect(try names.lookup.addresses(of: "db").addresses == addresses("2001:db8::1"))
        #expect(names.questions == ["A db.one.example", "AAAA db.one.example"])
    }

    @Test func `servers that fail for one name do not end the search, and silent ones do`() throws {
        let table: Scripted.Table = [
            "A db.one.example": .failure(.unavailable), "AAAA db.one.example": .failure(.unavailable),
            "A db.two.example": .success(["192.0.2.1"]),
        ]
        #expect(try Scripted(table, search: Self.lists).lookup.addresses(of: "db").addresses == addresses("192.0.2.1"))
        let failing = Scripted(table.filter { $0.key.contains("one") }, search: Self.lists)
        #expect(throws: AddressLookup.Failure.unavailable) { try failing.lookup.addresses(of: "db") }
        #expect(failing.questions.count == 6)
        let silent = Scripted(["A db.one.example": .failure(.timedOut)], search: Self.lists)
        #expect(throws: AddressLookup.Failure.timedOut) { try silent.lookup.addresses(of: "db") }
        #expect(silent.questions == ["A db.one.example"])
    }

    @Test func `a family without an answer is named, and one without addresses is not`() throws {
        let name: [String] = ["192.0.2.1"]
        for (ipv6, unanswered) in [
            (.notFound, nil), (.unavailable, .ipv6), (.timedOut, .ipv6),
        ] as [(AddressLookup.Failure, HostAddresses.Family?)] {
            let names = Scripted(["A db": .success(name), "AAAA db": .failure(ipv6)])
            #expect(
                try names.lookup.addresses(of: "db")
                    == HostAddresses(addresses("192.0.2.1"), timeToLive: .seconds(4), unanswered: unanswered))
        }
        let other = Scripted(["A db": .failure(.unavailable), "AAAA db": .success(["2001:db8::1"])])
        #expect(try other.lookup.addresses(of: "db").unanswered == .ipv4)
        // Nothing may be said of the name while one family is unknown.
        for table in [["A db": .failure(.unavailable)], ["AAAA db": .failure(.unavailable)]] as [Scripted.Table] {
            #expect(throws: AddressLookup.Failure.unavailable) { try Scripted(table).lookup.addresses(of: "db") }
        }
    }

    @Test func `IPv6 addresses are not asked for where the machine's file says so`() throws {
        let names = Scripted(
            ["A db": .success(["192.0.2.1"]), "AAAA db": .success(["2001:db8::1"])],
            search: SearchList(skipsIPv6: true))
        #expect(try names.lookup.addresses(of: "db").addresses == addresses("192.0.2.1"))
        #expect(names.questions == ["A db"])
    }
}

/// With the C library's resolver, against a scripted name server.
@Suite(.timeLimit(.minutes(1))) struct RecordQueryTests {
    private typealias Failure = AddressLookup.Failure

    private static func hostAddresses(of name: String, from server: NameServer) throws -> Result<HostAddresses, Failure>
    {
        try server.run { Result { () throws(Failure) in try RecordLookup.system.addresses(of: name) } }
    }

    private static func services(of name: String, from server: NameServer) throws -> Result<ServiceRecords, Failure> {
        try server.run { Result { () throws(Failure) in try RecordLookup.system.services(of: name) } }
    }

    @Test func `addresses come with the smallest time to live of the chain of aliases`() throws {
        let server = try NameServer()
        server["db.weir.test"] = .records([
            .init(.alias("b.weir.test"), ttl: 40), .init(.alias("c.weir.test"), ttl: 17, owner: "b.weir.test"),
            .init(.a("192.0.2.1"), ttl: 50, owner: "c.weir.test"),
            .init(.aaaa("2001:db8::1"), ttl: 90, owner: "c.weir.test"),
        ])
        let found = try Self.hostAddresses(of: "db.weir.test.", from: server)
        let expected = addresses("192.0.2.1", "2001:db8::1")
        #expect(found == .success(HostAddresses(expected, timeToLive: .seconds(17))))
    }

    @Test func `a name with a dot at its end is asked for once for each type, and is not searched for`() throws {
        let server = try NameServer(settings: ["search a.weir.test b.weir.test", "options ndots:5"])
        #expect(try Self.hostAddresses(of: "db.weir.test.", from: server) == .failure(.notFound))
        #expect(server.questions(about: "db.weir.test") == ["A", "AAAA"])
        #expect(server.names == ["db.weir.test"])
        server["db.weir.test.b.weir.test"] = .addresses(["192.0.2.1"], ttl: 9)
        #expect(
            try Self.hostAddresses(of: "db.weir.test", from: server)
                == .success(HostAddresses(addresses("192.0.2.1"), timeToLive: .seconds(9))))
        #expect(server.questions(about: "db.weir.test.a.weir.test") == ["A", "AAAA"])
        #expect(server.questions(about: "db.weir.test") == ["A", "AAAA"])
    }

    @Test func `services come as they are, and the root as a target says that there are none`() throws {
        let server = try NameServer()
        server["_radius._udp.weir.test"] = .records([
            .init(.service(priority: 10, weight: 60, port: 1812, target: "a.weir.test"), ttl: 33),
            .init(.service(priority: 20, weight: 0, port: 1813, target: "B.weir.test"), ttl: 44),
        ])
        let services = [(10, 60, 1812, "a.weir.test"), (20, 0, 1813, "b.weir.test")].compactMap { entry in
            DNSName(entry.3).map {
                DNSService(
                    priority: UInt16(entry.0), weight: UInt16(entry.1), port: UInt16(entry.2), target: $0)
            }
        }
        #expect(
            try Self.services(of: "_radius._udp.weir.test", from: server)
                == .success(ServiceRecords(services, timeToLive: .seconds(33))))
        server["_none._udp.weir.test"] = .records([
            .init(.service(priority: 0, weight: 0, port: 0, target: "."))
        ])
        #expect(try Self.services(of: "_none._udp.weir.test", from: server) == .failure(.notFound))
        #expect(try Self.services(of: "_missing._udp.weir.test", from: server) == .failure(.notFound))
    }

    @Test func `what is cut off is asked for again over TCP, however long it is`() throws {
        let server = try NameServer(overTCP: true)
        let texts = (0..<1_200).map { "10.0.\($0 / 250).\($0 % 250)" }
        server["many.weir.test"] = .onlyOverTCP(texts.map { .init(.a($0)) })
        let found = try Self.hostAddresses(of: "many.weir.test", from: server).get()
        #expect(found.addresses.map(\.ip.description) == texts)
        #expect(server.questions(about: "many.weir.test") == ["A", "A/tcp", "AAAA", "AAAA/tcp"])
    }

    @Test func `why there is no answer is told apart`() throws {
        let server = try NameServer()
        let cases: [(String, NameServer.Answer, Failure)] = [
            ("missing", .noSuchName, .notFound), ("empty", .addresses([]), .notFound),
            ("broken", .failure, .unavailable), ("refused", .refusal, .unavailable),
            ("cut-short", .cutShort, .unavailable), ("aliases", .aliases(30), .unavailable),
            ("loop", .aliasOfItself, .unavailable), ("truncated", .truncated, .unavailable),
            ("silent", .silence, .timedOut), ("wrong-id", .wrongIdentifier, .timedOut),
            ("wrong-question", .wrongQuestion, .timedOut),
        ]
        for (name, answer, failure) in cases {
            server["\(name).weir.test"] = answer
            #expect(try Self.hostAddresses(of: "\(name).weir.test.", from: server) == .failure(failure), "\(name)")
        }
        server["half.weir.test"] = .byFamily(ipv6: .failure, others: .addresses(["192.0.2.1"], ttl: 8))
        #expect(
            try Self.hostAddresses(of: "half.weir.test.", from: server)
                == .success(
                    HostAddresses(addresses("192.0.2.1"), timeToLive: .seconds(8), unanswered: .ipv6)))
    }

    @Test func `another program reads the same from this server`() throws {
        let server = try NameServer(overTCP: true)
        server["_radius._udp.weir.test"] = .onlyOverTCP([
            .init(.service(priority: 10, weight: 60, port: 1812, target: "a.weir.test"), ttl: 33)
        ])
        let found = try Self.services(of: "_radius._udp.weir.test", from: server).get()
        let run = try ChildProcess.run(
            Tool.path("dig"), ["@\(server.host)", "+noall", "+answer", "_radius._udp.weir.test", "SRV"])
        let words = run.output.split(whereSeparator: \.isWhitespace)
        let service = try #require(found.services.first)
        #expect(
            words.joined(separator: " ")
                == "_radius._udp.weir.test. \(found.timeToLive.components.seconds) IN SRV \(service.priority) "
                + "\(service.weight) \(service.port) \(service.target.text ?? "")."
        )
    }
}
