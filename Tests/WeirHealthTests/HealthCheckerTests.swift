import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirHealth

@Suite("Checks of real servers", .timeLimit(.minutes(2))) struct HealthCheckerTests {
    private static let quick = CheckSchedule(
        interval: .milliseconds(50), doubtInterval: .milliseconds(50), timeout: .seconds(20))

    /// Checks targets until each has `count` results, and returns these by target.
    private func outcomes(
        of targets: [HealthTarget], count: Int = 1, maxInFlight: Int = 64
    ) async throws -> [[CheckOutcome]] {
        let observer = RecordingObserver()
        let checker = try HealthChecker(observer: observer, maxInFlight: maxInFlight)
        try checker.start()
        await checker.set(targets.enumerated().map { HealthSubscription($1, token: UInt64($0)) })
        func found() -> [[CheckOutcome]] {
            let checks = observer.checks
            return targets.indices.map { index in checks.filter { $0.token == UInt64(index) }.map(\.outcome) }
        }
        do {
            try waitUntil("every target is checked", deadline: .seconds(60)) {
                found().allSatisfy { $0.count >= count }
            }
        } catch {
            await checker.stop()
            throw error
        }
        await checker.stop()
        #expect(await checker.counts == CheckCounts(targets: 0, inFlight: 0, waiting: 0))
        #expect(observer.errors == [])
        return found()
    }

    private func outcome(
        _ port: UInt16, _ kind: HealthCheck.Kind, _ schedule: CheckSchedule = quick
    ) async throws -> CheckOutcome? {
        try await outcomes(of: [.local(port, HealthCheck(kind), schedule)]).first?.first
    }

    /// A server that reads something, if it is to, answers, and waits for the end.
    private func server(reads: Bool = true, _ answer: String) throws -> TCPServer {
        try TCPServer { connection in
            if reads { _ = connection.receiveSome() }
            try connection.send(answer)
            _ = connection.receive()
        }
    }

    @Test("tcp: a listener passes, and its application sees no connection; a closed port is refused")
    func tcp() async throws {
        let server = try TCPServer { _ in }
        let outcomes = try await outcomes(
            of: [server.port, try Ports.free()].map { .local($0, HealthCheck(.tcp), Self.quick) }, count: 5)
        #expect(outcomes[0].allSatisfy { $0.result == .success && $0.durationNanoseconds != nil })
        #expect(outcomes[1].allSatisfy { $0 == .failure(.refused) })
        #expect(server.accepted == 0)
    }

    @Test("tcp: a listener that drops connections times out")
    func timeout() async throws {
        let silent = try UnansweringServer()
        let short = CheckSchedule(interval: .seconds(5), timeout: .milliseconds(50))
        #expect(try await outcome(silent.port, .tcp, short) == .failure(.timeout))
    }

    @Test("tcp: a connection that meets itself is refused: no process listens there")
    func selfConnection() async throws {
        let port = try Ports.free()
        var target = HealthTarget.local(port, HealthCheck(.tcp), CheckSchedule(timeout: .seconds(20)))
        target.source = SocketAddress(.loopbackIPv4, port: port)
        #expect(try await outcomes(of: [target])[0].first == .failure(.refused))
    }

    @Test("an address without a route is unreachable")
    func unreachable() async throws {
        let namespace = try NetworkNamespace()
        // 192.0.2.1 (RFC 5737) has no route in a network that has only a loopback.
        let address = SocketAddress(IPAddress(v4: 0xc000_0201), port: 80)
        let attempt = try namespace.run {
            try CheckAttempt(to: address, from: nil, over: .tcp, .connection, opening: [])
        }
        guard case .failed(let outcome) = attempt.connect() else {
            Issue.record("connected")
            return
        }
        attempt.close()
        #expect(outcome == .failure(.unreachable))
    }

    @Test("redis: a real server")
    func redis() async throws {
        let redis = try Redis()
        #expect(try await outcome(redis.port, .redis)?.result == .success)
        let loading = try server("-LOADING Redis is loading\r\n")
        #expect(try await outcome(loading.port, .redis) == .unexpected(.errorReply("LOADING")))
    }

    @Test("http: a real server, its statuses, another port, and an answer that is cut off")
    func http() async throws {
        let nginx = try Nginx(sizes: [1, 100_000])
        #expect(try await outcome(nginx.port, .http(try HTTPCheck(path: "/100000")))?.result == .success)
        #expect(try await outcome(nginx.port, .http(try HTTPCheck(path: "/1", method: .head)))?.result == .success)
        #expect(try await outcome(nginx.port, .http(try HTTPCheck(path: "/none"))) == .unexpected(.status(404)))
        let notFound = try HTTPCheck(path: "/none", statuses: [404...404])
        let elsewhere = HealthTarget.local(
            try Ports.free(), HealthCheck(.http(notFound), port: nginx.port), Self.quick)
        #expect(try await outcomes(of: [elsewhere])[0].first?.result == .success)
        let cut = try TCPServer { connection in
            _ = connection.receive(10)
            try connection.send("HTTP/1.1 200 OK\r\n")
            try connection.shutdownWriting()
            _ = connection.receive()
        }
        #expect(try await outcome(cut.port, .http(try HTTPCheck())) == .unexpected(.ended))
        let reset = try TCPServer { connection in
            _ = connection.receive(10)
            try connection.reset()
        }
        #expect(try await outcome(reset.port, .http(try HTTPCheck())) == .failure(.reset))
    }

    @Test("postgres: the session ends in order, as the server's answer asks for")
    func postgres() async throws {
        let check = HealthCheck.Kind.postgres(try PostgresCheck())
        let endings = Shared<[TestConnection.Received]>([])
        func server(_ answer: [UInt8]) throws -> TCPServer {
            try TCPServer { connection in
                let length = connection.receive(4).bytes.reduce(0) { $0 << 8 | Int($1) }
                _ = connection.receive(max(0, length - 4))
                try connection.send(answer)
                let ending = connection.receive()
                endings.withLock { $0.append(ending) }
            }
        }
        let servers = try [
            server(Answers.postgres("R", [0, 0, 0, 10])),
            server(Answers.postgres("R", [0, 0, 0, 0]) + [90, 0, 0, 0, 5, 73]),
            server(Answers.postgresError("57P03")),
        ]
        #expect(try await outcome(servers[0].port, check)?.result == .success)
        #expect(try await outcome(servers[1].port, check)?.result == .success)
        #expect(try await outcome(servers[2].port, check) == .unexpected(.sqlState("57P03")))
        try waitUntil("the servers have seen three ends") { endings.withLock { $0.count } >= 3 }
        // Further checks may have been under way when the checker stopped.
        let whole = endings.withLock { $0 }.filter { $0.ending == .endOfStream }.map(\.bytes)
        #expect(whole.contains([]) && whole.contains([88, 0, 0, 0, 4]))
    }

    @Test("send and expect: over TCP, a greeting without a question, and the wrong answer")
    func exchange() async throws {
        func exchange(_ send: String, _ expect: String) throws -> HealthCheck.Kind {
            .exchange(try ExchangeCheck(over: .tcp, send: Array(send.utf8), expect: .bytes(Array(expect.utf8))))
        }
        let echo = try TCPServer.echo()
        #expect(try await outcome(echo.port, exchange("ping\r\n", "ping"))?.result == .success)
        let mail = try server(reads: false, "220 mail.example.net ESMTP\r\n")
        #expect(try await outcome(mail.port, exchange("", "ESMTP"))?.result == .success)
        let short = CheckSchedule(timeout: .milliseconds(300))
        #expect(try await outcome(mail.port, exchange("", "POP3"), short) == .unexpected(.noMatch))
    }

    @Test("udp: an answer, none, the wrong one, and a closed port")
    func udp() async throws {
        func exchange(_ expect: ExchangeCheck.Expectation) throws -> HealthCheck.Kind {
            .exchange(try ExchangeCheck(over: .udp, send: [1, 2, 3], expect: expect))
        }
        let echo = try UDPServer.echo()
        let silent = try UDPServer { _ in [] }
        let short = CheckSchedule(timeout: .milliseconds(200))
        #expect(try await outcome(echo.port, exchange(.bytes([2, 3])))?.result == .success)
        #expect(try await outcome(echo.port, exchange(.bytes([9])), short) == .unexpected(.noMatch))
        #expect(try await outcome(silent.port, exchange(.anything), short) == .failure(.timeout))
        #expect(
            try await outcome(silent.port, exchange(.silence), short) == .success(durationNanoseconds: nil))
        for expectation in [.anything, .silence] as [ExchangeCheck.Expectation] {
            #expect(try await outcome(Ports.free(), exchange(expectation)) == .failure(.refused))
        }
    }

    @Test("dns: over both transports, with the question's own identifier, and an error")
    func dns() async throws {
        let datagrams = try UDPServer { datagram in
            // A forged one first.
            [Answers.dns(to: [0, 0] + Array(datagram.bytes[2...])), Answers.dns(to: datagram.bytes)]
        }
        let failing = try UDPServer { [Answers.dns(to: $0.bytes, code: 2)] }
        let streams = try TCPServer { connection in
            let length = connection.receive(2).bytes.reduce(0) { $0 << 8 | Int($1) }
            try connection.send(Answers.framed(Answers.dns(to: connection.receive(length).bytes)))
            _ = connection.receive()
        }
        #expect(try await outcome(datagrams.port, .dns(try DNSCheck(over: .udp)))?.result == .success)
        #expect(try await outcome(failing.port, .dns(try DNSCheck(over: .udp))) == .unexpected(.responseCode(2)))
        #expect(try await outcome(streams.port, .dns(try DNSCheck(over: .tcp)))?.result == .success)
    }

    @Test("a check comes from the address that it is told, also over IPv6")
    func source() async throws {
        let peers = Shared<Set<String>>([])
        let server = try UDPServer { datagram in
            peers.withLock { _ = $0.insert(datagram.source.host) }
            return [[1]]
        }
        let exchange = HealthCheck(.exchange(try ExchangeCheck(over: .udp, send: [1], expect: .anything)))
        var target = HealthTarget.local(server.port, exchange, Self.quick)
        target.source = SocketAddress(IPAddress(v4: 0x7f00_0009), port: 0)
        let sixth = try TCPServer(host: "::1") { _ in }
        let v6 = HealthTarget(
            address: SocketAddress(.loopbackIPv6, port: sixth.port), check: HealthCheck(.tcp), schedule: Self.quick,
            source: SocketAddress(.loopbackIPv6, port: 0))
        #expect(try await outcomes(of: [target, v6]).allSatisfy { $0.first?.result == .success })
        #expect(peers.withLock { $0 } == ["127.0.0.9"])
    }

    @Test("two hundred targets with little room, many times: no descriptor is left over, whatever the results are")
    func descriptors() async throws {
        func open() -> Int {
            guard let folder = opendir("/proc/self/fd") else { return -1 }
            defer { closedir(folder) }
            var count = 0
            while readdir(folder) != nil { count += 1 }
            return count
        }
        let echo = try TCPServer.echo()
        let silent = try UnansweringServer()
        let dead = try Ports.free()
        let exchange = try ExchangeCheck(over: .tcp, send: [1], expect: .bytes([1]))
        let short = CheckSchedule(
            interval: .milliseconds(20), doubtInterval: .milliseconds(20), timeout: .milliseconds(20))
        let targets = (0..<200).map { number -> HealthTarget in
            let address = SocketAddress(IPAddress(v4: 0x7f00_0001 + UInt32(number % 100)), port: dead)
            let own = CheckSchedule(
                interval: .milliseconds(number + 1), timeout: .milliseconds(number % 4 == 0 ? number + 1 : 20_000))
            return switch number % 4 {
            case 0: .local(silent.port, HealthCheck(.tcp), own)
            case 1: HealthTarget(address: address, check: HealthCheck(.redis), schedule: short)
            case 2: .local(echo.port, HealthCheck(.exchange(exchange)), own)
            default: .local(echo.port, HealthCheck(.tcp), own)
            }
        }
        _ = try await outcomes(of: [targets[3]])
        let before = open()
        let found = try await outcomes(of: targets, count: 3, maxInFlight: 16)
        #expect(found.allSatisfy { $0.count >= 3 })
        // The servers' own ends close when their threads have seen ours.
        try waitUntil("as many descriptors as before", deadline: .seconds(30)) { open() <= before }
    }

    @Test("a checker that never began can be stopped, and one that was stopped takes calls")
    func life() async throws {
        let observer = RecordingObserver()
        let idle = try HealthChecker(observer: observer)
        await idle.stop()
        let checker = try HealthChecker(observer: observer)
        try checker.start()
        try checker.start()
        await checker.setMaxInFlight(2)
        await checker.stop()
        await checker.stop()
        await checker.set([HealthSubscription(.local(1), token: 1)])
        #expect(await checker.counts.targets == 0)
    }

    @Test("members at Unix sockets: served, refused where nothing is there, and late where their queue is full")
    func unixSockets() async throws {
        let redis = try UnixServer { connection in
            _ = connection.receiveSome()
            try connection.send("+PONG\r\n")
            _ = connection.receive()
        }
        let page = try UnixServer(path: "@weir-test-page-\(getpid())") { connection in
            let request = connection.receiveSome().text
            try connection.send("HTTP/1.1 \(request.contains("Host: localhost\r\n") ? 204 : 400) x\r\n\r\n")
            _ = connection.receive()
        }
        let folder = try TemporaryDirectory("unix")
        let full = try UnixServer(backlog: 0, waits: true) { _ in }
        let first = try TestConnection(toUnix: full.path)
        let brief = CheckSchedule(interval: .milliseconds(50), timeout: .milliseconds(200))
        let outcomes = try await outcomes(of: [
            .unix(redis.path, HealthCheck(.redis), Self.quick),
            .unix(page.path, HealthCheck(.http(HTTPCheck())), Self.quick),
            .unix(redis.path, HealthCheck(.tcp), Self.quick), .unix(folder.file("none"), HealthCheck(.tcp), Self.quick),
            .unix(full.path, HealthCheck(.tcp), brief),
        ])
        #expect(outcomes.map { $0[0].result } == [.success, .success, .success, .refused, .timeout])
        withExtendedLifetime(first) {}
    }

    @Test("a member whose queue is full passes once there is room, within the timeout")
    func busyUnixSocket() async throws {
        let server = try UnixServer(backlog: 0, waits: true) { _ in }
        let first = try TestConnection(toUnix: server.path)
        let target = HealthTarget.unix(server.path, HealthCheck(.tcp), Self.quick)
        let checking = Task { try await outcomes(of: [target]) }
        // However long the check has waited by now, it goes on.
        server.start()
        #expect(try await checking.value[0][0].result == .success)
        withExtendedLifetime(first) {}
    }
}

extension HealthTarget {
    fileprivate static func unix(_ path: String, _ check: HealthCheck, _ schedule: CheckSchedule) -> HealthTarget {
        // The tests' paths are short.
        HealthTarget(path: UnixSocketPath(path)!, check: check, schedule: schedule)
    }
}
