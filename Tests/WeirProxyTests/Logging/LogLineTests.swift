import LinuxIO
import Logging
import NetworkTypes
import Testing
import WeirStream

@testable import WeirProxy

/// 2026-11-22T12:57:19.042Z.
private let moment: Int64 = 1_795_352_239_042_000_000

private let route = LogRoute(
    name: "ssh-proxy", transport: "tcp", listen: "tcp4://0.0.0.0:2222", upstreams: ["localhost:22"])
private let client = SocketAddress("192.0.2.9:50000")
private let upstream = SocketAddress("127.0.0.1:22")

private func line(_ record: LogRecord, _ format: LogFormat, route: LogRoute = route, suppressed: UInt64 = 0) -> String {
    String(decoding: LogLine.bytes(of: record, route: route, format: format, suppressed: suppressed), as: UTF8.self)
}

private func record(_ fact: LogRecord.Fact, id: UInt64 = 0x1f, isDialed: Bool = false) -> LogRecord {
    LogRecord(
        time: moment, route: 1, id: id, client: client, upstreamAddress: isDialed ? upstream : nil, fact: fact)
}

private let flow = LogRecord.Flow(
    nanoseconds: 1_234_567_890, ingressBytes: 12, egressBytes: 3456, ingressDatagrams: 2, egressDatagrams: 3)

struct LogLineTests {
    @Test("A closed connection is one line of text with everything that is known of it")
    func closedAsText() {
        #expect(
            line(record(.connectionClosed(.clientEOF, flow), isDialed: true), .text)
                == "2026-11-22T12:57:19.042Z INFO connection closed protocol=tcp route=ssh-proxy "
                + "listen=tcp4://0.0.0.0:2222 dst=localhost:22 action=closed id=1f client=192.0.2.9:50000 "
                + "upstream=127.0.0.1:22 reason=client_eof duration=1.234567s ingress_bytes=12 egress_bytes=3456\n")
    }

    @Test("A closed connection is one JSON object with the same fields")
    func closedAsJSON() {
        #expect(
            line(record(.connectionClosed(.upstreamReset, flow), isDialed: true), .json)
                == #"{"time":"2026-11-22T12:57:19.042Z","level":"info","message":"connection closed","protocol":"tcp","#
                + #""route":"ssh-proxy","listen":"tcp4://0.0.0.0:2222","dst":"localhost:22","action":"closed","#
                + #""id":"1f","client":"192.0.2.9:50000","upstream":"127.0.0.1:22","reason":"upstream_reset","#
                + #""duration":1.234567,"ingress_bytes":12,"egress_bytes":3456}"# + "\n")
    }

    @Test("The handshake of a client is told where one was, and what its peer chose cannot break out of its field")
    func handshake() {
        var closed = record(.connectionClosed(.clientEOF, flow), isDialed: true)
        closed.session = SecureSessionFacts(
            serverName: "a.example.net", applicationProtocol: "mqtt", version: .tls13, isResumed: true,
            peer: SecureSessionFacts.Peer(name: "device-7.example.net", commonName: "seven"))
        #expect(
            line(closed, .text).hasSuffix(
                " tls=1.3 resumed=true sni=a.example.net alpn=mqtt client_name=device-7.example.net\n"))
        #expect(
            line(closed, .json).hasSuffix(
                #","tls":"1.3","resumed":true,"sni":"a.example.net","alpn":"mqtt","client_name":"device-7.example.net"}"#
                    + "\n"))
        var rejected = record(.rejected(.acl))
        rejected.session = SecureSessionFacts(serverName: "a\" x=1\n\u{202e}b", version: .tls12)
        #expect(
            line(rejected, .text).hasSuffix(" tls=1.2 resumed=false sni=\"a\\\" x=1%0a%e2%80%aeb\"\n"),
            "\(line(rejected, .text))")
        // The line of the accept comes before any handshake.
        var opened = record(.opened)
        opened.session = closed.session
        #expect(!line(opened, .text).contains("tls="))
    }

    @Test("A closed session also tells its datagrams")
    func sessionClosed() {
        let dns = LogRoute(name: "dns", transport: "udp", listen: "udp://*:53", upstreams: ["192.0.2.53:53"])
        let text = line(record(.sessionClosed(.idle, flow)), .text, route: dns)
        #expect(text.contains(" session closed protocol=udp route=dns "))
        #expect(text.hasSuffix(" egress_bytes=3456 ingress_datagrams=2 egress_datagrams=3\n"))
        // Never dialed: the upstream is the configured one.
        #expect(text.contains(" upstream=192.0.2.53:53 "))
    }

    @Test("A client behind a proxy is told with the peer, and a refused header with its reason")
    func proxyHeaders() throws {
        let peer = try #require(SocketAddress("10.0.0.1:443"))
        let proxied = record(.proxied(by: peer))
        #expect(proxied.fact.level == .debug)
        #expect(
            line(proxied, .text).hasSuffix(
                "DEBUG client behind a proxy protocol=tcp route=ssh-proxy listen=tcp4://0.0.0.0:2222 dst=localhost:22 "
                    + "action=accept id=1f client=192.0.2.9:50000 peer=10.0.0.1:443\n"))
        let refused = record(.headerFailed(.checksum, ProxyHeaderExcerpt()))
        #expect(refused.fact.level == .warning)
        #expect(line(refused, .text).contains(" WARNING PROXY header refused protocol=tcp "))
        #expect(line(refused, .text).hasSuffix(" client=192.0.2.9:50000 reason=checksum\n"))
    }

    @Test("The first bytes of a refused header are told, escaped and bounded")
    func headerExcerpt() {
        func ending(_ bytes: [UInt8], _ format: LogFormat = .text) -> String {
            let text = line(record(.headerFailed(.malformed, ProxyHeaderExcerpt(bytes.span))), format)
            return String(text.split(separator: "malformed")[1])
        }
        let mixed = "PROXY TCP6 192.0.2.1 2001:db8::1 56324 443\r\n"
        #expect(ending(Array(mixed.utf8)) == " header=\"PROXY TCP6 192.0.2.1 2001:db8::1 56324 \"\n")
        #expect(ending([0x0d, 0x0a, 0, 0x1b, 0xff, UInt8(ascii: "A")]) == " header=%0d%0a%00%1b%ffA\n")
        #expect(ending(Array("\\%\"".utf8), .json) == "\",\"header\":\"%5c%25\\\"\"}\n")
        #expect(ending([]) == "\n")
        for count in 0...45 {
            let bytes = (0..<count).map { UInt8($0) }
            #expect(ProxyHeaderExcerpt(bytes.span).bytes == Array(bytes.prefix(39)))
        }
    }

    @Test("A probe and a client that was gone before the accept are quiet")
    func quietFacts() {
        #expect(LogRecord.Fact.rejected(.probe).level == .debug)
        #expect(LogRecord.Fact.acceptFailed(.aborted, SystemError(.accept, 103)).level == .debug)
        #expect(LogRecord.Fact.rejected(.acl).level == .info)
        #expect(LogRecord.Fact.acceptFailed(.descriptorLimit, SystemError(.accept, 24)).level == .error)
    }

    @Test("A failed dial is an error that names route, upstream, reason and what the system said")
    func dialFailed() {
        let fact = LogRecord.Fact.dialFailed(upstream: 0, .refused, SystemError(.connect, 111))
        #expect(fact.level == .error)
        #expect(
            line(record(fact), .text, suppressed: 7)
                == "2026-11-22T12:57:19.042Z ERROR dial failed protocol=tcp route=ssh-proxy "
                + "listen=tcp4://0.0.0.0:2222 dst=localhost:22 action=dial id=1f client=192.0.2.9:50000 "
                + "upstream=localhost:22 reason=refused error=\"connect: Connection refused (111)\" suppressed=7\n")
    }

    @Test("Lines of a connection through an agent name it, and the upstream behind it in place of the agent's address")
    func agents() {
        let set = LogRoute(
            name: "ssh-proxy", transport: "tcp", listen: "tcp4://0.0.0.0:2222",
            upstreams: ["localhost:22", "db.far.test:22 via edge-1"], agents: [1: "edge-1"])
        func ending(_ fact: LogRecord.Fact, reached: Int32 = LogRecord.noUpstream, _ route: LogRoute) -> Substring {
            var record = record(fact, isDialed: reached >= 0)
            record.upstream = reached
            return line(record, .text, route: route).split(separator: "client=192.0.2.9:50000 ")[1]
        }
        let through = "upstream=\"db.far.test:22 via edge-1\" agent=edge-1 "
        for fact in [.connectionClosed(.clientEOF, flow), .dialed(upstream: 1, nanoseconds: 1)] as [LogRecord.Fact] {
            #expect(ending(fact, reached: 1, set).hasPrefix(through))
        }
        #expect(ending(.dialFailed(upstream: 1, .agentDenied, nil), set) == through + "reason=agent_denied\n")
        #expect(ending(.connectionClosed(.clientEOF, flow), reached: 0, set).hasPrefix("upstream=127.0.0.1:22 reason="))
        #expect(ending(.dialFailed(upstream: 0, .refused, nil), set) == "upstream=localhost:22 reason=refused\n")
        // Closed before an upstream was reached: it is not known which one.
        #expect(ending(.connectionClosed(.dialFailed, flow), set).hasPrefix("reason="))
        let single = LogRoute(
            name: "ssh-proxy", transport: "tcp", listen: "tcp4://0.0.0.0:2222", upstreams: ["localhost:22 via edge-1"],
            agents: [0: "edge-1"])
        #expect(ending(.connectionClosed(.dialFailed, flow), single).contains("via edge-1\" agent=edge-1 reason="))
    }

    @Test("A dial that was given up because the client left is no error")
    func canceled() {
        #expect(LogRecord.Fact.dialFailed(upstream: 0, .canceled, nil).level == .debug)
    }

    @Test("A line of the route alone has neither client nor id")
    func routeOnly() {
        let fact = LogRecord(
            time: moment, route: 1, id: 0, client: nil, upstreamAddress: nil,
            fact: .acceptFailed(.descriptorLimit, SystemError(.accept, 24)))
        #expect(
            line(fact, .text)
                == "2026-11-22T12:57:19.042Z ERROR accept failed protocol=tcp route=ssh-proxy "
                + "listen=tcp4://0.0.0.0:2222 dst=localhost:22 action=accept reason=fd_limit "
                + "error=\"accept: Too many open files (24)\"\n")
    }

    @Test("A value cannot break out of its field", arguments: LogFormat.allCases)
    func escaping(_ format: LogFormat) {
        var made = LogLine(format, time: moment, level: .warning, message: "two\nlines \"quoted\"")
        made.add("plain", "a.b-c:1")
        made.add("empty", "")
        made.add("evil", "x y=\"z\"\\\n\u{1b}[31m\u{7f}é")
        let text = String(decoding: made.finish(), as: UTF8.self)
        let quoted = #""x y=\"z\"\\\n\u001b[31m\u007fé""#
        switch format {
        case .text:
            #expect(
                text == "2026-11-22T12:57:19.042Z WARNING two lines \"quoted\" "
                    + "plain=a.b-c:1 empty=\"\" evil=\(quoted)\n")
        case .json:
            #expect(
                text == #"{"time":"2026-11-22T12:57:19.042Z","level":"warning","message":"two\nlines \"quoted\"","#
                    + #""plain":"a.b-c:1","empty":"","evil":"# + quoted + "}\n")
        }
    }

    @Test(
        "Moments are printed in UTC, leap days and years before 1970 included",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_999_000_000, "2000-02-29T00:00:00.999Z"),
            (1_709_251_199_001_000_000, "2024-02-29T23:59:59.001Z"), (-1_000_000, "1969-12-31T23:59:59.999Z"),
            (4_102_444_800_000_000_000, "2100-01-01T00:00:00.000Z"), (moment, "2026-11-22T12:57:19.042Z"),
        ] as [(Int64, String)])
    func time(_ nanoseconds: Int64, expected: String) {
        var bytes: [UInt8] = []
        UTCTime(nanosecondsSince1970: nanoseconds).write(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }
}
