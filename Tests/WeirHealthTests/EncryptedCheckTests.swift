import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirHealth

/// A session without secrets: says `hello`, expects `welcome`, and then every byte with all its bits turned.
private final class TurningSession: SecureSession {
    let traits: ChannelTraits = []
    let hasPendingOutput = false
    private var hasGreeted = false
    private var greeting: [UInt8] = []

    func handshake(on socket: borrowing Socket) -> HandshakeStep {
        if !hasGreeted {
            hasGreeted = true
            if case .failed(let error) = Array("hello".utf8).withUnsafeBytes({ socket.send($0) }) {
                return .broken(error)
            }
        }
        let word = Array("welcome".utf8)
        var byte: [UInt8] = [0]
        while greeting.count < word.count {
            switch byte.withUnsafeMutableBytes({ socket.receive(into: $0) }) {
            case .bytes: greeting += byte
            case .wouldBlock: return .waiting
            case .endOfStream: return .failed
            case .failed(let error): return .broken(error)
            }
            guard word.starts(with: greeting) else { return .failed }
        }
        return .done
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        let result = socket.receive(into: buffer)
        if case .bytes(let count) = result { for index in 0..<count { buffer[index] = ~buffer[index] } }
        return result
    }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        bytes.map { ~$0 }.withUnsafeBytes { socket.send($0) }
    }

    func finishWriting(on socket: borrowing Socket) { try? socket.shutdownWriting() }
    func flush(to socket: borrowing Socket) -> SystemError? { nil }
}

/// A session whose handshake never comes to an end.
private final class EndlessSession: SecureSession {
    let traits: ChannelTraits = []
    let hasPendingOutput = false
    private(set) var stepCount = 0

    func handshake(on socket: borrowing Socket) -> HandshakeStep {
        stepCount += 1
        return .yielded
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        .wouldBlock
    }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { .wouldBlock }
    func finishWriting(on socket: borrowing Socket) {}
    func flush(to socket: borrowing Socket) -> SystemError? { nil }
}

private final class Owner: Sendable {}

@Suite("Checks over an encrypted connection", .timeLimit(.minutes(1))) struct EncryptedCheckTests {
    private static let owner = Owner()

    private static func encryption(_ name: String? = nil) -> CheckEncryption {
        CheckEncryption(owner, name: name) { TurningSession() }
    }

    /// The first outcome of a check of a server.
    private func outcome(
        _ check: HealthCheck, _ server: TCPServer, timeout: Duration = .seconds(20)
    ) async throws -> CheckOutcome? {
        let observer = RecordingObserver()
        let checker = try HealthChecker(observer: observer)
        try checker.start()
        var target = HealthTarget.local(server.port, check, CheckSchedule(interval: .seconds(60), timeout: timeout))
        target.encryption = Self.encryption()
        await checker.set([HealthSubscription(target, token: 1)])
        let result = Result { try waitUntil("a result", deadline: .seconds(30)) { !observer.checks.isEmpty } }
        await checker.stop()
        try result.get()
        return observer.checks.first?.outcome
    }

    private static func welcome(_ connection: TestConnection) throws {
        #expect(connection.receive(5).text == "hello")
        // In two pieces, so that the handshake waits.
        try connection.send("wel")
        try connection.send("come")
    }

    @Test("A handshake is all of the check `tls`, and ends in order")
    func handshake() async throws {
        let endings = Shared<[String]>([])
        let server = try TCPServer { connection in
            try Self.welcome(connection)
            let ending = connection.receive().ending
            endings.withLock { $0.append("\(ending)") }
        }
        #expect(try await outcome(HealthCheck(.tls), server)?.result == .success)
        try waitUntil("the server has seen the end") { !endings.withLock { $0.isEmpty } }
        #expect(endings.withLock { $0 } == ["\(TestConnection.Ending.endOfStream)"])
    }

    @Test("A page is asked for behind the handshake")
    func page() async throws {
        let server = try TCPServer { connection in
            try Self.welcome(connection)
            let request = connection.receiveSome().bytes.map { ~$0 }
            #expect(String(decoding: request, as: UTF8.self).hasPrefix("GET /ready HTTP/1.1\r\n"))
            try connection.send(Array("HTTP/1.1 503 Not now\r\n\r\n".utf8).map { ~$0 })
            _ = connection.receive()
        }
        let check = HealthCheck(.http(try HTTPCheck(path: "/ready")), isEncrypted: true)
        #expect(try await outcome(check, server) == .unexpected(.status(503)))
    }

    @Test("A member that does not speak it fails as `tls`, and one that is silent by its time")
    func failures() async throws {
        let plain = try TCPServer { connection in
            try connection.send("220 plain\r\n")
            _ = connection.receive()
        }
        #expect(try await outcome(HealthCheck(.tls), plain) == .failure(.tls))
        let short = try TCPServer { connection in
            _ = connection.receive(5)
            try connection.send("wel")
        }
        #expect(try await outcome(HealthCheck(.tls), short) == .failure(.tls))
        let silent = try TCPServer { connection in _ = connection.receive() }
        #expect(try await outcome(HealthCheck(.tls), silent, timeout: .milliseconds(50)) == .failure(.timeout))
    }

    @Test("A peer that keeps the thread busy with a handshake fails after a few steps, as the check's owner says")
    func endless() throws {
        let session = EndlessSession()
        let check = SecureCheckSession(session) { .refused }
        let socket = try Socket(.stream, family: .ipv4)
        let outcome = check.handshake(on: socket)
        #expect(outcome == .failed(.refused))
        #expect(session.stepCount == 4)
    }

    @Test("Equal encryptions are those of one owner and one name")
    func equality() {
        #expect(Self.encryption("a") == Self.encryption("a"))
        #expect(Self.encryption("a") != Self.encryption("b"))
        #expect(Self.encryption("a") != CheckEncryption(Owner(), name: "a") { TurningSession() })
        let plain = HealthTarget.local(1)
        var encrypted = plain
        encrypted.encryption = Self.encryption()
        #expect(plain != encrypted)
    }
}
