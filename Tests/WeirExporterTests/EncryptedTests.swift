import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirExporter

/// A session without secrets that behaves as a real one: a word of greeting either way, and bytes that it has read
/// ahead of those that it gives, for which no event comes.
private final class GreetingSession: SecureSession {
    let traits: ChannelTraits = []
    let hasPeerCertificate: Bool
    private var greeting: [UInt8] = []
    private var ahead: ArraySlice<UInt8> = []
    private var output: ArraySlice<UInt8> = []
    private(set) var hasTimedOut = false

    static let word = Array("hello".utf8)

    init(hasCertificate: Bool = false) { hasPeerCertificate = hasCertificate }

    func handshake(on socket: borrowing Socket) -> HandshakeStep {
        var byte: [UInt8] = [0]
        while greeting.count < Self.word.count {
            switch byte.withUnsafeMutableBytes({ socket.receive(into: $0) }) {
            case .bytes: greeting += byte
            case .wouldBlock: return .waiting
            case .endOfStream: return greeting.isEmpty ? .unused : .failed
            case .failed(let error): return .broken(error)
            }
            guard Self.word.starts(with: greeting) else { return .failed }
        }
        output += Self.word
        if let error = flush(to: socket) { return .broken(error) }
        return .done
    }

    func handshakeTimedOut() { hasTimedOut = true }

    /// Gives seven bytes at most, of all that were there.
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        if ahead.isEmpty {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            switch bytes.withUnsafeMutableBytes({ socket.receive(into: $0) }) {
            case .bytes(let count): ahead = bytes[..<count]
            case let other: return other
            }
        }
        let count = min(7, buffer.count, ahead.count)
        buffer.copyBytes(from: ahead.prefix(count))
        ahead = ahead.dropFirst(count)
        return .bytes(count)
    }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        if !output.isEmpty, let error = flush(to: socket) { return .failed(error) }
        if !output.isEmpty { return .wouldBlock }
        output += bytes
        if let error = flush(to: socket) { return .failed(error) }
        return .bytes(bytes.count)
    }

    func finishWriting(on socket: borrowing Socket) {
        _ = flush(to: socket)
        try? socket.shutdownWriting()
    }

    var hasPendingOutput: Bool { !output.isEmpty }

    func flush(to socket: borrowing Socket) -> SystemError? {
        while !output.isEmpty {
            switch output.withUnsafeBytes({ socket.send($0) }) {
            case .bytes(let count): output = output.dropFirst(count)
            case .wouldBlock: return nil
            case .failed(let error): return error
            }
        }
        return nil
    }
}

/// Connections with a session: time and turns are the test's own.
@Suite("An exporter that encrypts") struct EncryptedTests {
    private static func stepped(
        hasCertificate: Bool = false, demands: Bool = false, page: TestPage = TestPage(),
        unixSockets: [UnixListener] = []
    ) throws -> SteppedServer {
        try SteppedServer(
            page: page, unixSockets: unixSockets,
            encryption: ExporterEncryption(demandsCertificate: demands) {
                GreetingSession(hasCertificate: hasCertificate)
            })
    }

    /// A client that has greeted, and been greeted.
    private static func client(_ stepped: SteppedServer, sending text: String = "") throws -> TestClient {
        let client = try stepped.client(sending: "hello" + text)
        try stepped.turn { client.isReadable() }
        #expect(try client.receive(5) == GreetingSession.word)
        return client
    }

    @Test("Requests are answered one after the other, also those that came with the first bytes of all")
    func requests() throws {
        let stepped = try Self.stepped(page: TestPage(size: 300_000))
        let client = try Self.client(stepped, sending: request() + request("GET", "/healthz") + request())
        for path in ["metrics", "health", "metrics"] {
            try stepped.turn { client.hasAnswer() }
            let answer = try #require(try client.answer())
            #expect(answer.status == 200)
            #expect((answer.body.count > 200_000) == (path == "metrics"), "\(path)")
        }
        // And once more, after a rest.
        client.send(request("GET", "/healthz"))
        try stepped.turn { client.isReadable() }
        #expect(try client.answer()?.status == 200)
    }

    @Test(
        "Without a certificate there is health, and 403 for all else; with one there is everything",
        arguments: [false, true])
    func certificates(hasCertificate: Bool) throws {
        let stepped = try Self.stepped(hasCertificate: hasCertificate, demands: true)
        for (path, open) in [
            ("/healthz", true), ("/readyz", true), ("/-/healthy", true), ("/metrics", false), ("/", false),
            ("/none", false),
        ] {
            let client = try Self.client(stepped, sending: request("GET", path))
            try stepped.turn { client.isReadable() }
            let usual = path == "/none" ? 404 : 200
            #expect(try client.answer()?.status == (hasCertificate || open ? usual : 403), "\(path)")
        }
    }

    @Test("A handshake that takes 10 s is over, and its slow bytes do not renew the time")
    func timeout() throws {
        let stepped = try Self.stepped()
        let silent = try stepped.client()
        let slow = try stepped.client(sending: "h")
        for byte in "ell".utf8 {
            try stepped.pass(seconds: 3)
            slow.send([byte])
        }
        #expect(stepped.server.connections.count == 2)
        try stepped.pass(seconds: 1.1)
        #expect(try silent.isClosed())
        #expect(try slow.isClosed())
        // After the handshake the head has a time of its own.
        let late = try Self.client(stepped)
        try stepped.pass(seconds: 9)
        #expect(!late.isReadable())
        try stepped.pass(seconds: 1.1)
        #expect(try late.isClosed())
    }

    @Test("Plain HTTP is refused without an answer, and Unix sockets stay as they are")
    func plain() throws {
        let folder = try TemporaryDirectory("encrypted")
        let path = try #require(UnixSocketPath(folder.file("s")))
        let stepped = try Self.stepped(demands: true, unixSockets: [UnixListener(path: path)])
        let client = try stepped.client(sending: request())
        try stepped.turn { client.isReadable() }
        #expect(try client.isClosed())
        let local = try TestClient(unix: path.path)
        local.send(request())
        try stepped.turn { local.isReadable() }
        #expect(try local.answer()?.status == 200)
    }

    @Test("A reader that takes nothing is evicted for another, and one that is slow gets all")
    func slowReaders() throws {
        let stepped = try Self.stepped(page: TestPage(size: 4_000_000))
        let client = try TestClient(port: stepped.port, receiveBuffer: 4096)
        client.send("hello" + request())
        try stepped.turn { client.isReadable() }
        #expect(try client.receive(5) == GreetingSession.word)
        try stepped.turn { stepped.server.connections.first?.phase == .writing }
        try stepped.turn { client.hasAnswer() }
        let answer = try #require(try client.answer())
        #expect(answer.body.count >= 4_000_000)
        let stalled = try TestClient(port: stepped.port, receiveBuffer: 4096)
        stalled.send("hello" + request())
        try stepped.turn { stepped.server.connections.last?.phase == .writing }
        try stepped.pass(seconds: 31)
        #expect(!stepped.server.connections.contains { $0.phase == .writing })
    }
}
