import Foundation
import Synchronization

/// A listening socket with one thread per connection, each running the same plain function.
package final class TCPServer: Sendable {
    package let endpoint: Endpoint
    private let socket: TestSocket
    private let connections = Atomic<Int>(0)

    package var port: UInt16 { endpoint.port }
    /// How many connections have been accepted so far.
    package var accepted: Int { connections.load(ordering: .relaxed) }

    package init(
        host: String = "127.0.0.1", port: UInt16? = nil, backlog: Int32 = 512, reusesThreads: Bool = false,
        handler: @escaping @Sendable (TestConnection) throws -> Void
    ) throws {
        let wanted = Endpoint(host, try port ?? Ports.free())
        socket = try TestSocket(family: wanted.family, type: SOCK_STREAM)
        try socket.set(SO_REUSEADDR, to: 1)
        try socket.bind(to: wanted)
        try checked("listen") { [socket] in listen(socket.descriptor, backlog) }
        // The thread waits in accept without a timeout.
        try socket.setTimeouts(seconds: 0)
        endpoint = wanted
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
                if reusesThreads {
                    ThreadPool.run { try? handler(connection) }
                } else {
                    Self.start { try? handler(connection) }
                }
            }
        }.start()
    }

    deinit { stop() }

    /// Stops listening. `accept` returns an error to the thread that waits in it, which then lets go of the socket.
    package func stop() {
        shutdown(socket.descriptor, Int32(SHUT_RDWR))
    }

    package static func start(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.stackSize = 512 * 1024
        thread.start()
    }
}

/// The servers that most tests need.
extension TCPServer {
    /// Sends back what comes, and the end after the end. Patient: a link that loses packets pauses for many seconds.
    package static func echo(host: String = "127.0.0.1", port: UInt16? = nil) throws -> TCPServer {
        try TCPServer(host: host, port: port, reusesThreads: true) { connection in
            try connection.setTimeouts(seconds: 120)
            while true {
                let received = connection.receiveSome()
                guard !received.bytes.isEmpty else { break }
                try connection.send(received.bytes)
            }
            try connection.shutdownWriting()
            // Wait for the other side, so that its reset or end is seen here too.
            _ = connection.receive()
        }
    }

    /// Reads everything up to the end of the stream and only then answers.
    package static func answeringAfterEnd(
        port: UInt16? = nil, _ answer: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) throws -> TCPServer {
        try TCPServer(port: port) { connection in
            let request = connection.receive()
            guard request.ending == .endOfStream else { return }
            try connection.send(answer(request.bytes))
        }
    }

    /// Waits for the first byte, answers, and closes with input left unread, which makes the kernel send a reset.
    package static func resettingAfterAnswer(_ answer: [UInt8], unread: Int) throws -> TCPServer {
        try TCPServer { connection in
            _ = connection.receive(1)
            try waitUntil("the input that stays unread has arrived") { connection.pendingInput >= unread }
            try connection.send(answer)
            connection.close()
        }
    }
}
