import Glibc
import Synchronization

/// The receiving end of sd_notify(3), as a service manager has it.
package final class ServiceManagerSocket: Sendable {
    /// For `NOTIFY_SOCKET`.
    package let name: String
    private let socket: TestSocket
    private let received = Shared<[[String]]>([])
    private let isStopped = Atomic<Bool>(false)

    /// At a path, or where the name begins with `@`, at that abstract name.
    package init(_ name: String) throws {
        self.name = name
        socket = try TestSocket(family: AF_UNIX, type: SOCK_DGRAM)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        try checked("bind \(name)") { [socket] in
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket.descriptor, $0, length) }
            }
        }
        TCPServer.start { [weak self, socket] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while self?.isStopped.load(ordering: .relaxed) == false {
                guard socket.isReadable(within: 100) else { continue }
                let count = recv(socket.descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                let lines = String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
                self?.received.withLock { $0.append(lines) }
            }
        }
    }

    deinit { isStopped.store(true, ordering: .relaxed) }

    /// The messages so far, each as its assignments.
    package var messages: [[String]] { received.withLock { $0 } }

    /// Waits for the message after the first `count` that has this assignment.
    package func message(with assignment: String, after count: Int = 0) throws -> [String] {
        try waitFor("the service manager hears \(assignment); so far \(messages)") {
            messages.dropFirst(count).first { $0.contains(assignment) }
        }
    }
}
