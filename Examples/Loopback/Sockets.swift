import Glibc

/// The socket calls that the examples need, and no more: blocking, IPv4, loopback.
enum Loopback {
    struct Failure: Error {
        let call: String
        let code: CInt
    }

    static func socket() throws -> CInt {
        try check("socket", Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
    }

    static func withAddress<Result>(
        _ host: UInt32 = 0x7f00_0001, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) rethrows -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        return try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    @discardableResult
    static func check(_ call: String, _ result: CInt) throws -> CInt {
        if result < 0 { throw Failure(call: call, code: errno) }
        return result
    }

    /// Writes until the peer wants no more.
    static func writeAll(_ socket: CInt, _ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads until the peer ends.
    static func readAll(_ socket: CInt) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(socket, &buffer, buffer.count)
            if count <= 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}

/// Answers each connection with its own name, if it has one, and what it got.
package struct EchoServer {
    private let socket: CInt
    private let name: String
    package let port: UInt16

    package init(name: String = "") throws {
        self.name = name
        socket = try Loopback.socket()
        let listening = socket
        try Loopback.withAddress(port: 0) { _ = try Loopback.check("bind", bind(listening, $0, $1)) }
        try Loopback.check("listen", listen(socket, 16))
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listening, $0, &length) }
        }
        try Loopback.check("getsockname", result)
        port = UInt16(bigEndian: address.sin_port)
    }

    /// Answers every connection on a thread of its own, as long as the program runs: with the name at once, and with
    /// what came once the client has ended.
    package func serve() {
        Self.detach { [socket, name] in
            while true {
                let client = accept(socket, nil, nil)
                if client < 0 { return }
                Self.detach {
                    Loopback.writeAll(client, Array(name.utf8))
                    Loopback.writeAll(client, Loopback.readAll(client))
                    close(client)
                }
            }
        }
    }

    private final class Job {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private static func detach(_ run: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(Job(run)).toOpaque())
        pthread_detach(thread)
    }
}

/// Sends bytes, ends its side, and reads the answer: nothing where it is refused.
package enum Client {
    package static func exchange(_ bytes: [UInt8], port: UInt16, from host: UInt32 = 0x7f00_0001) throws -> [UInt8] {
        let connection = try connect(port: port, from: host)
        Loopback.writeAll(connection.socket, bytes)
        return connection.finish()
    }

    package static func exchange(_ text: String, port: UInt16, from host: UInt32 = 0x7f00_0001) throws -> String {
        String(decoding: try exchange(Array(text.utf8), port: port, from: host), as: UTF8.self)
    }

    package static func connect(port: UInt16, from host: UInt32 = 0x7f00_0001) throws -> OpenConnection {
        let client = try Loopback.socket()
        try Loopback.withAddress(host, port: 0) { _ = try Loopback.check("bind", bind(client, $0, $1)) }
        try Loopback.withAddress(port: port) { _ = try Loopback.check("connect", Glibc.connect(client, $0, $1)) }
        return OpenConnection(socket: client)
    }

    /// Lets others work for a moment.
    package static func pause() { poll(nil, 0, 10) }
}

/// A connection that stays open until it is finished.
package struct OpenConnection {
    fileprivate let socket: CInt

    /// The next bytes as text.
    package func receive() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(socket, &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }

    /// Ends our side, and reads what still comes.
    @discardableResult
    package func finish() -> [UInt8] {
        shutdown(socket, CInt(SHUT_WR))
        defer { close(socket) }
        return Loopback.readAll(socket)
    }
}
