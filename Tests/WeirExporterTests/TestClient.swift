import Glibc
import LinuxIO

/// An answer as a client sees it.
struct Answer: Equatable {
    var status: Int
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
}

/// A blocking HTTP client on a raw socket: it sends what it is told, byte for byte.
final class TestClient {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let descriptor: CInt
    private var received: [UInt8] = []

    /// Connects to 127.0.0.1, from `source` in 127.0.0.0/8 where one is given.
    init(port: UInt16, source: UInt32? = nil, receiveBuffer: CInt? = nil) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: "socket: \(errno)") }
        if var receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<CInt>.size))
        }
        if let source { try Self.call("bind", source, port: 0) { bind(descriptor, $0, $1) } }
        try Self.call("connect", 0x7f00_0001, port: port) { connect(descriptor, $0, $1) }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Connects to a Unix socket.
    init(unix path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: "socket: \(errno)") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        if result != 0 { throw Failure(description: "connect: \(errno)") }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { Glibc.close(descriptor) }

    private static func call(
        _ name: String, _ ip: UInt32, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = ip.bigEndian
        address.sin_port = port.bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        if result != 0 { throw Failure(description: "\(name): \(errno)") }
    }

    /// Sends all of it; false where the connection is gone.
    @discardableResult
    func send(_ bytes: some Collection<UInt8>) -> Bool {
        let bytes = Array(bytes)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, CInt(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(text.utf8) }

    func shutdownWriting() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Whether something to read, or an end, is there within `milliseconds`.
    func isReadable(within milliseconds: CInt = 0) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return !received.isEmpty || poll(&entry, 1, milliseconds) == 1
    }

    /// One receive. False at an end, of whichever kind; a time-out throws.
    private func fill() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 {
            received += buffer[..<count]
            return true
        }
        if count < 0, errno == EAGAIN { throw Failure(description: "no answer within 10 s") }
        return false
    }

    /// The next bytes, so many; fewer at the end.
    func receive(_ count: Int) throws -> [UInt8] {
        while received.count < count, try fill() {}
        let bytes = Array(received.prefix(count))
        received.removeFirst(bytes.count)
        return bytes
    }

    /// The next answer; nil where the connection ends before one begins.
    func answer(hasBody: Bool = true) throws -> Answer? {
        while received.firstRange(of: Array("\r\n\r\n".utf8)) == nil {
            guard try fill() else {
                if received.isEmpty { return nil }
                throw Failure(description: "cut off in a head")
            }
        }
        let headEnd = received.firstRange(of: Array("\r\n\r\n".utf8))!.upperBound
        let lines = String(decoding: received[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        received.removeFirst(headEnd)
        var answer = Answer(status: Int(lines[0].split(separator: " ")[1]) ?? 0, headers: [:], body: [])
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            answer.headers[parts[0].lowercased()] = parts.count < 2 ? "" : String(parts[1].dropFirst())
        }
        guard hasBody else { return answer }
        let length = Int(answer.headers["content-length"] ?? "") ?? 0
        while received.count < length {
            guard try fill() else { throw Failure(description: "cut off in a body") }
        }
        answer.body = Array(received[..<length])
        received.removeFirst(length)
        return answer
    }

    /// Takes in what is there, and says whether it makes a whole answer.
    func hasAnswer() -> Bool {
        while isReadableNow() { if (try? fill()) != true { return true } }
        guard let end = received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return false }
        let head = String(decoding: received[..<end], as: UTF8.self)
        let line = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
        return received.count - end >= line.flatMap { Int($0.dropFirst(16)) } ?? 0
    }

    private func isReadableNow() -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    /// Forgets what was received and not looked at.
    func dropReceived() { received = [] }

    /// Whether the server ends the connection, with nothing more before that.
    func isClosed() throws -> Bool {
        guard received.isEmpty else { return false }
        return try !fill()
    }
}

/// `GET /metrics` and what the like.
func request(_ method: String = "GET", _ path: String = "/metrics", _ headers: String...) -> String {
    "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n"
}
