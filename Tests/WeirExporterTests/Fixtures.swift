import CZlib
import Glibc
import LinuxIO
import NetworkTypes
import Synchronization
import Threading
import WeirMetrics

import enum TestSupport.WorkerTurns

@testable import WeirExporter

/// A page of a chosen size whose first line says how often one was begun.
final class TestPage: MetricsPage {
    private let size: Int
    private let pieceSize: Int
    private(set) var renderings = 0
    /// Pieces of all pages, and pages that were given up.
    private(set) var pieces = 0
    private(set) var dropped = 0
    private var bytes: [UInt8] = []
    private var lines = 0
    private var offset = 0

    init(size: Int = 0, pieceSize: Int = .max) {
        self.size = size
        self.pieceSize = pieceSize
    }

    func begin(_ format: ExpositionFormat, filter: PageFilter?) {
        renderings += 1
        bytes = Array("test_renderings_total \(renderings)\n".utf8)
        if filter != nil { bytes += Array("test_filtered 1\n".utf8) }
        lines = 1
        while bytes.count < size {
            bytes += Array("test_value{line=\"\(lines - 1)\"} \((lines - 1) &* 7919 % 1009)\n".utf8)
            lines += 1
        }
        offset = 0
    }

    func appendPiece(to output: inout [UInt8]) -> Int? {
        pieces += 1
        let end = offset + min(pieceSize, bytes.count - offset)
        output += bytes[offset..<end]
        offset = end
        return end == bytes.count ? lines : nil
    }

    func drop() { dropped += 1 }
}

extension MetricsPage {
    /// All pieces of a page.
    func bytes(_ format: ExpositionFormat = .text004, filter: PageFilter? = nil) -> [UInt8] {
        var output: [UInt8] = []
        begin(format, filter: filter)
        while appendPiece(to: &output) == nil {}
        return output
    }
}

/// A clock that stands until it is turned.
final class TestClock: Sendable {
    private let time = Atomic<UInt64>(1_000_000_000)

    var clock: MonotonicClock { MonotonicClock { self.time.load(ordering: .relaxed) } }

    func advance(seconds: Double) {
        time.wrappingAdd(UInt64(seconds * 1_000_000_000), ordering: .relaxed)
    }
}

/// Remembers what the exporter tells.
final class TestObserver: ExporterObserver {
    struct Seen {
        var statuses: [HTTPStatus: Int] = [:]
        var pages = 0
        var series = 0
        var bytes: [ContentEncoding: Int] = [:]
        var abandonedPasswords = 0
    }

    private let state = Lock(Seen())

    /// The events so far, after the turn of everything that a client has seen before.
    var seen: Seen {
        WorkerTurns.finish(of: getpid())
        return state.withLock { $0 }
    }

    func requestAnswered(_ status: HTTPStatus) { state.withLock { $0.statuses[status, default: 0] += 1 } }

    func pageMade(_ format: ExpositionFormat, nanoseconds: UInt64, series: Int?) {
        state.withLock {
            $0.pages += 1
            if let series { $0.series = series }
        }
    }

    func bytesSent(_ count: Int, _ encoding: ContentEncoding) {
        state.withLock { $0.bytes[encoding, default: 0] += count }
    }

    func passwordAbandoned() { state.withLock { $0.abandonedPasswords += 1 } }
}

/// Sockets of this machine with the local port that a process still holds, TIME_WAIT excluded (proc_pid_net(5)).
func openSockets(port: UInt16) -> Int {
    guard let file = fopen("/proc/net/tcp", "r") else { return -1 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    var count = 0
    let digits = String(port, radix: 16, uppercase: true)
    let suffix = ":" + String(repeating: "0", count: 4 - digits.count) + digits
    while fgets(&line, CInt(line.count), file) != nil {
        let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ")
        if fields.count > 9, fields[1].hasSuffix(suffix), fields[9] != "0" { count += 1 }
    }
    return count
}

let loopback = SocketAddress(.loopbackIPv4, port: 0)

/// Runs `body` against an exporter on a free port, and stops it.
func withExporter<Result>(
    page: sending any MetricsPage = TestPage(), health: HealthChecks = HealthChecks(), observer: TestObserver? = nil,
    limits: ExporterLimits = ExporterLimits(), _ body: (UInt16) async throws -> Result
) async throws -> Result {
    let exporter = try Exporter(
        ExporterConfiguration(listen: [loopback], product: "Weir <1.0>", limits: limits), page: page, health: health,
        observer: observer)
    try await exporter.start()
    do {
        let result = try await body(exporter.localAddresses[0].port)
        await exporter.stop()
        return result
    } catch {
        await exporter.stop()
        throw error
    }
}

/// The server on the test's own thread, with a clock that the test turns: every step is the test's.
final class SteppedServer {
    let time = TestClock()
    let observer = TestObserver()
    let loop: EventLoop
    let server: ExporterServer
    let port: UInt16

    init(
        page: any MetricsPage = TestPage(), limits: ExporterLimits = ExporterLimits(),
        access: ExporterAccess = ExporterAccess(), unixSockets: [UnixListener] = [],
        encryption: ExporterEncryption? = nil,
        document: (any LiveDocument)? = nil, startPage: StartPage? = nil,
        passwordCheck: @escaping PasswordVerifier.Check = PasswordHash.matches
    ) throws {
        var configuration = ExporterConfiguration(
            listen: [loopback], unixSockets: unixSockets, access: access, limits: limits, clock: time.clock)
        configuration.startPage = startPage
        loop = try EventLoop(wokenBy: EventLoopThread(name: "unused"), clock: time.clock)
        server = ExporterServer(
            configuration, encryption: EncryptionSlot(encryption), loop: loop, page: page, health: HealthChecks(),
            document: document, observer: observer)
        server.passwordCheck = passwordCheck
        port = try server.start(configuration.listen, unixSockets)[0].port
    }

    deinit { server.stop() }

    /// Turns the loop until `condition` holds; 10 s of real time at most.
    func turn(until condition: () -> Bool) throws {
        let end = ContinuousClock.now + .seconds(10)
        repeat {
            loop.turn(mayWait: false)
            if condition() { return }
        } while ContinuousClock.now < end
        throw TestClient.Failure(description: "not within 10 s")
    }

    /// Lets time pass and turns once for the timers.
    func pass(seconds: Double) throws {
        time.advance(seconds: seconds)
        for _ in 0..<3 { loop.turn(mayWait: false) }
    }

    /// A client whose connection was accepted.
    func client(source: UInt32? = nil, receiveBuffer: CInt? = nil, sending text: String = "") throws -> TestClient {
        let client = try TestClient(port: port, source: source, receiveBuffer: receiveBuffer)
        client.send(text)
        for _ in 0..<3 { loop.turn(mayWait: false) }
        return client
    }

    /// The answer to a request on a new connection.
    func answer(to text: String, source: UInt32? = nil) throws -> Answer? {
        let client = try self.client(source: source, sending: text)
        try turn { client.isReadable() }
        return try client.answer()
    }

    /// A whole scrape on a new connection.
    func scrape(source: UInt32? = nil) throws -> Answer? {
        let client = try self.client(source: source, sending: request())
        try turn { client.isReadable() }
        return try client.answer()
    }
}

/// The text that zlib makes of a gzip stream; nil where it is not exactly one.
func gunzip(_ bytes: [UInt8]) -> [UInt8]? {
    var input = bytes
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    var stream = z_stream()
    guard inflateInit2_(&stream, 31, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    return input.withUnsafeMutableBufferPointer { source -> [UInt8]? in
        stream.next_in = source.baseAddress
        stream.avail_in = CUnsignedInt(source.count)
        while true {
            let capacity = chunk.count
            let code = chunk.withUnsafeMutableBufferPointer { target in
                stream.next_out = target.baseAddress
                stream.avail_out = CUnsignedInt(capacity)
                return inflate(&stream, Z_NO_FLUSH)
            }
            output += chunk[..<(capacity - Int(stream.avail_out))]
            if code == Z_STREAM_END { return stream.avail_in == 0 ? output : nil }
            guard code == Z_OK else { return nil }
        }
    }
}
