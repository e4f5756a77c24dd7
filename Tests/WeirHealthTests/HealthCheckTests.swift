import Glibc
import LinuxIO
import NetworkTypes
import Testing

@testable import WeirHealth

@Suite("Checks are made of valid values only") struct HealthCheckTests {
    @Test("the bytes that open a conversation")
    func openings() throws {
        #expect(Conversing.opening(HealthCheck(.tcp)) == [])
        #expect(Conversing.opening(HealthCheck(.redis)) == Array("*1\r\n$4\r\nPING\r\n".utf8))
        let get = HealthCheck(.http(try HTTPCheck(path: "/a?b=c")))
        let lines = [
            "GET /a?b=c HTTP/1.1", "Host: 192.0.2.1:1", "User-Agent: weir", "Accept: */*", "Connection: close", "", "",
        ]
        #expect(String(decoding: Conversing.opening(get), as: UTF8.self) == lines.joined(separator: "\r\n"))
        let head = HealthCheck(.http(try HTTPCheck(method: .head, host: "db.example.net")))
        let headText = String(decoding: Conversing.opening(head), as: UTF8.self)
        #expect(headText.hasPrefix("HEAD / HTTP/1.1\r\nHost: db.example.net\r\n"))
        let startup = Conversing.opening(HealthCheck(.postgres(try PostgresCheck(user: "u", database: "d"))))
        let parameters = Array("user\0u\0database\0d\0application_name\0weir\0\0".utf8)
        #expect(startup == [0, 0, 0, UInt8(8 + parameters.count), 0, 3, 0, 0] + parameters)
        let exchange = try ExchangeCheck(over: .udp, send: [1, 0, 255], expect: .anything)
        #expect(Conversing.opening(HealthCheck(.exchange(exchange))) == [1, 0, 255])
    }

    @Test(
        "names of the domain name system",
        arguments: [
            (".", true), ("example.net", true), ("example.net.", true), ("_sip._udp.a", true),
            (String(repeating: "a", count: 63), true), ("", false), ("..", false), (".a", false), ("a..b", false),
            ("a b", false), ("a\\b", false), ("ä.net", false), (String(repeating: "a", count: 64), false),
            (String(repeating: "a.", count: 126) + "a", true), (String(repeating: "a.", count: 127) + "a", false),
        ])
    func names(name: String, isValid: Bool) {
        #expect(((try? DNSCheck(name: name, over: .udp)) != nil) == isValid)
    }

    @Test("values that no check may have are errors, which say what was expected")
    func invalid() {
        #expect(throws: HealthCheckError.noResponseCodes) { try DNSCheck(accepted: [], over: .udp) }
        #expect(throws: HealthCheckError.invalidIdentifier("")) { try PostgresCheck(user: "") }
        #expect(throws: HealthCheckError.invalidIdentifier("a\0b")) { try PostgresCheck(database: "a\0b") }
        for path in ["", "a", "/a b", "/a\r\nX: y", "/ä", "/a#b", "/" + String(repeating: "a", count: 2_048)] {
            #expect(throws: HealthCheckError.invalidPath(path)) { try HTTPCheck(path: path) }
        }
        for host in ["", "a b", "a\r\nX: y", String(repeating: "a", count: 256)] {
            #expect(throws: HealthCheckError.invalidHost(host)) { try HTTPCheck(host: host) }
        }
        for statuses in [[], [100...200], [200...600]] as [[ClosedRange<Int>]] {
            #expect(throws: HealthCheckError.invalidStatuses) { try HTTPCheck(statuses: statuses) }
        }
        let long = [UInt8](repeating: 0, count: 1_025)
        let tooLong = HealthCheckError.tooLong(count: 1_025, limit: 1_024)
        #expect(throws: tooLong) { try ExchangeCheck(over: .tcp, send: long, expect: .anything) }
        #expect(throws: tooLong) { try ExchangeCheck(over: .tcp, send: [], expect: .bytes(long)) }
        #expect(throws: HealthCheckError.emptyExpectation) {
            try ExchangeCheck(over: .tcp, send: [], expect: .bytes([]))
        }
        #expect(throws: HealthCheckError.silenceOverTCP) { try ExchangeCheck(over: .tcp, send: [], expect: .silence) }
        #expect(HealthCheckError.invalidPath("a").description.contains("`a`"))
    }

    @Test("results that can occur, by kind")
    func possible() throws {
        func results(_ kind: HealthCheck.Kind, ofName: Bool = false) -> [CheckResult] {
            CheckResult.allCases.filter { $0.isPossible(for: HealthCheck(kind), ofName: ofName) }
        }
        #expect(results(.tcp) == [.success, .refused, .timeout, .unreachable, .reset])
        #expect(results(.tls) == [.success, .refused, .timeout, .unreachable, .reset, .tls])
        let page = HealthCheck(.http(try HTTPCheck()), isEncrypted: true)
        #expect(CheckResult.allCases.filter { !$0.isPossible(for: page, ofName: true) } == [])
        let ofName = results(.redis, ofName: true)
        #expect(ofName == [.success, .refused, .timeout, .unreachable, .reset, .dns, .unexpected])
        #expect(results(.dns(try DNSCheck(over: .udp))) == [.success, .refused, .timeout, .unreachable, .unexpected])
        let silence = try ExchangeCheck(over: .udp, send: [1], expect: .silence)
        #expect(results(.exchange(silence)) == [.success, .refused, .unreachable])
        let words = CheckResult.allCases.map(\.rawValue).joined(separator: ",")
        #expect(words == "success,refused,timeout,unreachable,reset,dns,tls,unexpected")
    }

    @Test("errors of this machine say nothing about a member")
    func errors() {
        func result(_ code: CInt, isLocal: Bool = false) -> CheckResult? {
            CheckResult(SystemError(.connect, code), isLocal: isLocal)
        }
        #expect(result(ECONNREFUSED) == .refused)
        #expect(result(ETIMEDOUT) == .timeout)
        #expect(result(ECONNRESET) == .reset)
        #expect(result(EPIPE) == .reset)
        #expect(result(EHOSTUNREACH) == .unreachable)
        #expect(result(ENETUNREACH, isLocal: true) == .unreachable)
        #expect(result(EACCES) == .unreachable)
        for code in [EACCES, EPERM, EMFILE, EADDRNOTAVAIL, EAGAIN] { #expect(result(code, isLocal: true) == nil) }
    }
}
