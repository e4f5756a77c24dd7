import Foundation
import Synchronization

/// A listening Unix stream socket with one thread per connection, each running the same plain function. Its file is in
/// a folder of its own.
package final class UnixServer: Sendable {
    /// The path, or an abstract name with an `@` in front.
    package let path: String
    private let socket: TestSocket
    private let folder: TemporaryDirectory
    private let handler: @Sendable (TestConnection) throws -> Void
    private let connections = Atomic<Int>(0)

    /// `unix:` and the path: the server as an upstream.
    package var upstream: String { "unix:\(path)" }
    /// The number of connections that were accepted so far.
    package var accepted: Int { connections.load(ordering: .relaxed) }

    /// Listens at a path of its own unless one is given. Where `waits` is true, it accepts from ``start()`` on.
    package init(
        path: String? = nil, backlog: Int32 = 512, waits: Bool = false,
        handler: @escaping @Sendable (TestConnection) throws -> Void
    ) throws {
        let folder = try TemporaryDirectory("unix")
        let path = path ?? folder.file("server.sock")
        let socket = try TestSocket(family: AF_UNIX, type: SOCK_STREAM)
        try UnixAddress.with(path) { address, length in
            _ = try checked("bind \(path)") { bind(socket.descriptor, address, length) }
        }
        try checked("listen") { listen(socket.descriptor, backlog) }
        // The thread waits in accept without a timeout.
        try socket.setTimeouts(seconds: 0)
        (self.folder, self.path, self.socket, self.handler) = (folder, path, socket, handler)
        if !waits { start() }
    }

    deinit { stop() }

    /// Accepts connections from now on.
    package func start() {
        let handler = handler
        Thread { [weak self, socket] in
            while true {
                let descriptor = accept(socket.descriptor, nil, nil)
                if descriptor < 0 {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    return
                }
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                self?.connections.wrappingAdd(1, ordering: .relaxed)
                let connection = TestConnection(adopting: descriptor)
                TCPServer.start { try? handler(connection) }
            }
        }.start()
    }

    /// Stops listening; the file stays.
    package func stop() { shutdown(socket.descriptor, Int32(SHUT_RDWR)) }

    /// Sends back what comes, and the end after the end.
    package static func echo(path: String? = nil) throws -> UnixServer {
        try UnixServer(path: path) { connection in
            try connection.setTimeouts(seconds: 60)
            while true {
                let received = connection.receiveSome()
                guard !received.bytes.isEmpty else { break }
                try connection.send(received.bytes)
            }
            try connection.shutdownWriting()
            _ = connection.receive()
        }
    }
}

/// The kernel's form of a path.
enum UnixAddress {
    /// Calls `body` with the address of a path, or of an abstract name with an `@` in front.
    static func with<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) throws -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemFailure("path of a socket", code: ENAMETOOLONG)
        }
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // The name of an abstract socket is as long as the address says.
        let length = MemoryLayout<sa_family_t>.size + bytes.count + (bytes.first == 0 ? 0 : 1)
        return try withUnsafePointer(to: address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(length)) }
        }
    }
}

extension TestConnection {
    /// Connects to a Unix socket: a path, or an abstract name with an `@` in front.
    package convenience init(toUnix path: String) throws {
        let descriptor = try checked("socket") {
            socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        }
        self.init(adopting: descriptor)
        try UnixAddress.with(path) { address, length in
            _ = try checked("connect \(path)") { Glibc.connect(descriptor, address, length) }
        }
    }

    /// Sends bytes with a descriptor beside them (SCM_RIGHTS, unix(7)).
    package func send(_ bytes: [UInt8], passing descriptor: Int32) throws {
        var control = [UInt8](repeating: 0, count: 24)
        // struct cmsghdr on 64-bit Linux: the length, then level and type.
        control.replaceSubrange(0..<8, with: withUnsafeBytes(of: UInt64(20)) { Array($0) })
        control.replaceSubrange(8..<12, with: withUnsafeBytes(of: SOL_SOCKET) { Array($0) })
        control.replaceSubrange(12..<16, with: withUnsafeBytes(of: Int32(1)) { Array($0) })
        control.replaceSubrange(16..<20, with: withUnsafeBytes(of: descriptor) { Array($0) })
        var bytes = bytes
        try bytes.withUnsafeMutableBytes { payload in
            try control.withUnsafeMutableBytes { control in
                var vector = iovec(iov_base: payload.baseAddress, iov_len: payload.count)
                try withUnsafeMutablePointer(to: &vector) { vector in
                    var header = msghdr()
                    header.msg_iov = vector
                    header.msg_iovlen = 1
                    header.msg_control = control.baseAddress
                    header.msg_controllen = control.count
                    _ = try checked("sendmsg") { sendmsg(rawDescriptor, &header, Int32(MSG_NOSIGNAL)) }
                }
            }
        }
    }
}
