import Glibc

/// What the example needs of the socket calls, and no more: blocking, IPv4, loopback.
enum Loopback {
    struct Failure: Error {
        let call: String
        let code: CInt
    }

    static func socket() throws -> CInt {
        try check("socket", Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
    }

    static func withAddress<Result>(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) rethrows -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
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

/// Answers one connection with what it got, once the client has ended.
struct EchoServer {
    private let socket: CInt
    let port: UInt16

    init() throws {
        socket = try Loopback.socket()
        let listening = socket
        try Loopback.withAddress(port: 0) { _ = try Loopback.check("bind", bind(listening, $0, $1)) }
        try Loopback.check("listen", listen(socket, 1))
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listening, $0, &length) }
        }
        try Loopback.check("getsockname", result)
        port = UInt16(bigEndian: address.sin_port)
    }

    func serveOne() {
        let listening = socket
        var thread = pthread_t()
        let argument = UnsafeMutableRawPointer(bitPattern: Int(listening))
        pthread_create(
            &thread, nil,
            { argument in
                let client = accept(CInt(Int(bitPattern: argument)), nil, nil)
                let bytes = Loopback.readAll(client)
                _ = bytes.withUnsafeBytes { write(client, $0.baseAddress, $0.count) }
                close(client)
                return nil
            }, argument)
    }
}

/// Sends a text, ends its side, and reads the answer.
enum Client {
    static func exchange(_ text: String, port: UInt16) throws -> String {
        let client = try Loopback.socket()
        defer { close(client) }
        try Loopback.withAddress(port: port) { _ = try Loopback.check("connect", connect(client, $0, $1)) }
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(client, $0.baseAddress, $0.count) }
        shutdown(client, CInt(SHUT_WR))
        return String(decoding: Loopback.readAll(client), as: UTF8.self)
    }
}
