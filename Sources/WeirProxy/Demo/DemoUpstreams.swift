import LinuxIO
import NetworkTypes

/// The upstreams of the demo, in the same process.
enum DemoUpstreams {
    static let pageBytes = 16 * 1024
    static let bulkBytes = 8 << 20
    /// How long the failing replica serves, and how long it is gone.
    private static let replicaLife = Duration.seconds(8)
    private static let replicaOutage = Duration.seconds(6)

    /// A socket that never accepts, with the connections that fill its backlog: dials to it hang, because the kernel
    /// drops their first segment (listen(2)).
    struct Unanswering: Sendable {
        private let listener: DemoListener
        private let waiting: [BlockingSocket]

        init(_ address: SocketAddress) throws(SystemError) {
            listener = try DemoListener(address, backlog: 0)
            var waiting: [BlockingSocket] = []
            for _ in 0..<8 {
                // Once the backlog is full, these time out: that is what they are for.
                guard let socket = try? BlockingSocket.connect(to: address, timeout: .milliseconds(20)) else { break }
                waiting.append(socket)
            }
            self.waiting = waiting
        }
    }

    /// Starts those that answer.
    static func start(_ threads: DemoThreads, base: UInt16) throws(SystemError) {
        for route in [DemoRoute.echo, .limited, .rateLimited, .preDialHook] {
            try threads.serve(route.upstream(base)) { connection in try echo(connection) }
        }
        for route in [DemoRoute.web, .bandwidthLimited] {
            try threads.serve(route.upstream(base)) { connection in
                _ = try connection.receive()
                try connection.send(page)
            }
        }
        try threads.serve(DemoRoute.bulk.upstream(base)) { connection in
            _ = try connection.receive()
            try connection.send([UInt8](repeating: 0x77, count: bulkBytes))
        }
        try threads.serve(DemoRoute.upload.upstream(base)) { connection in
            let upload = try connection.receiveToEnd(limit: 16 << 20)
            try connection.send(Array("received \(upload.count) bytes\n".utf8))
        }
        try threads.serve(DemoRoute.flaky.upstream(base)) { connection in
            // Closing with unread input makes the kernel send a reset (RFC 1122 section 4.2.2.13).
            let request = try connection.receive(atMost: 16)
            try connection.send(request)
        }
        for (index, address) in DemoRoute.replicas(base).enumerated() {
            let failures = index == 2 ? (every: replicaLife, for: replicaOutage) : nil
            try threads.serve(address, failing: failures) { connection in
                _ = try connection.receive()
                try connection.send(page)
            }
        }
        try threads.answer(DemoRoute.dns.upstream(base)) { query in query + [UInt8](repeating: 0, count: 64) }
        try threads.answer(DemoRoute.game.upstream(base)) { $0 }
        try threads.answer(DemoRoute.syslog.upstream(base)) { _ in nil }
    }

    private static func echo(_ connection: BlockingSocket) throws {
        while true {
            let bytes = try connection.receive()
            if bytes.isEmpty { break }
            try connection.send(bytes)
        }
        try connection.finishWriting()
        _ = try connection.receive()
    }

    private static let page: [UInt8] =
        Array("HTTP/1.1 200 OK\r\nContent-Length: \(pageBytes)\r\nConnection: close\r\n\r\n".utf8)
        + [UInt8](repeating: UInt8(ascii: "w"), count: pageBytes)
}
