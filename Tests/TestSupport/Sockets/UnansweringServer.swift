import Foundation

/// A listening socket whose backlog is full: a dial to it hangs, because the kernel drops every SYN.
package final class UnansweringServer: Sendable {
    package let endpoint: Endpoint
    private let listener: TestSocket
    private let waiting: [TestSocket]

    package var port: UInt16 { endpoint.port }

    package init() throws {
        endpoint = Endpoint(try Ports.free())
        listener = try TestSocket(family: AF_INET, type: SOCK_STREAM)
        try listener.bind(to: endpoint)
        try checked("listen") { [listener] in listen(listener.descriptor, 0) }
        var waiting: [TestSocket] = []
        for _ in 0..<8 {
            let socket = try TestSocket(family: AF_INET, type: SOCK_STREAM)
            // Non-blocking: once the queue is full, a connect stays under way for good.
            _ = fcntl(socket.descriptor, F_SETFL, O_NONBLOCK)
            try? socket.connect(to: endpoint)
            waiting.append(socket)
        }
        self.waiting = waiting
    }

    /// Starts to accept: the connections that filled the queue are closed, later ones are served.
    package func startAnswering(_ handler: @escaping @Sendable (TestConnection) throws -> Void) throws {
        for socket in waiting { socket.close() }
        Thread { [listener] in
            while true {
                let descriptor = accept(listener.descriptor, nil, nil)
                guard descriptor >= 0 else {
                    if errno == EINTR { continue }
                    return
                }
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                let connection = TestConnection(adopting: descriptor)
                Thread { try? handler(connection) }.start()
            }
        }.start()
    }
}
