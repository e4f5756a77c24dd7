import LinuxIO
import NetworkTypes

/// The clients of the demo: steady and bounded, a few megabytes a second in all.
enum DemoClients {
    /// Starts them all.
    static func start(_ threads: DemoThreads, base: UInt16) throws(SystemError) {
        try startTCP(threads, base: base)
        try startFailing(threads, base: base)
        try startUDP(threads, base: base)
        try startDenied(threads, base: base)
        try startLimited(threads, base: base)
    }

    /// The network that the demo's access rules deny: a part of the loopback network, which every machine has.
    static let deniedNetwork = "127.66.0.0/16"
    private static let deniedAddress = IPAddress(v4: 0x7f42_0001)

    private static func startDenied(_ threads: DemoThreads, base: UInt16) throws(SystemError) {
        let source = SocketAddress(deniedAddress, port: 0)
        try threads.repeat(every: .milliseconds(700)) {
            let connection = try BlockingSocket.connect(to: DemoRoute.web.listener(base), from: source)
            _ = try connection.receive()
        }
        // The first datagram is judged; the others are only dropped.
        try threads.repeat(every: .seconds(1)) {
            let socket = try BlockingSocket.datagrams(
                to: DemoRoute.dns.listener(base), from: source, timeout: .seconds(1))
            for _ in 0..<5 where threads.isRunning {
                try socket.send([UInt8](repeating: 0x64, count: 40))
                threads.rest(.milliseconds(100))
            }
        }
    }

    /// Clients that limits hold up, or turn away.
    private static func startLimited(_ threads: DemoThreads, base: UInt16) throws(SystemError) {
        for _ in 0..<2 {
            try threads.repeat(every: .milliseconds(300)) {
                let connection = try BlockingSocket.connect(to: DemoRoute.rateLimited.listener(base))
                try converse(connection, messages: 2, pause: .milliseconds(100), threads)
            }
        }
        // Another client, with more at once than one may have.
        let other = SocketAddress(IPAddress(v4: 0x7f43_0001), port: 0)
        try threads.repeat(every: .seconds(2)) {
            let connections = try (0..<4).map { _ in
                try BlockingSocket.connect(to: DemoRoute.rateLimited.listener(base), from: other)
            }
            threads.rest(.seconds(1))
            withExtendedLifetime(connections) {}
        }
        for _ in 0..<2 {
            try threads.repeat(every: .milliseconds(200)) {
                let connection = try BlockingSocket.connect(to: DemoRoute.bandwidthLimited.listener(base))
                try connection.send(Array("GET / HTTP/1.1\r\nHost: demo\r\n\r\n".utf8))
                _ = try connection.receiveToEnd(limit: 2 * DemoUpstreams.pageBytes)
            }
        }
        try threads.repeat(every: .seconds(1)) {
            let connection = try BlockingSocket.connect(to: DemoRoute.preDialHook.listener(base))
            try converse(connection, messages: 2, pause: .milliseconds(100), threads)
        }
    }

    private static func startTCP(_ threads: DemoThreads, base: UInt16) throws(SystemError) {
        for _ in 0..<4 {
            try threads.repeat(every: .milliseconds(500)) {
                let connection = try BlockingSocket.connect(to: DemoRoute.echo.listener(base))
                try converse(connection, messages: 100, pause: .milliseconds(100), threads)
                try connection.finishWriting()
                _ = try connection.receiveToEnd(limit: 4096)
            }
        }
        for route in [DemoRoute.web, .replicas] {
            try threads.repeat(every: .milliseconds(100)) {
                let connection = try BlockingSocket.connect(to: route.listener(base))
                try connection.send(Array("GET / HTTP/1.1\r\nHost: demo\r\n\r\n".utf8))
                _ = try connection.receiveToEnd(limit: 2 * DemoUpstreams.pageBytes)
            }
        }
        try threads.repeat(every: .seconds(2)) {
            let connection = try BlockingSocket.connect(to: DemoRoute.bulk.listener(base), receiveBuffer: 16_384)
            try connection.send(Array("send\n".utf8))
            while threads.isRunning, try !connection.receive(atMost: 32_768).isEmpty { threads.rest(.milliseconds(20)) }
        }
        try threads.repeat(every: .seconds(1)) {
            let connection = try BlockingSocket.connect(to: DemoRoute.upload.listener(base))
            try connection.send([UInt8](repeating: 0x75, count: 64 * 1024))
            try connection.finishWriting()
            _ = try connection.receiveToEnd(limit: 4096)
        }
        for _ in 0..<3 {
            try threads.repeat(every: .milliseconds(700)) {
                let connection = try BlockingSocket.connect(to: DemoRoute.limited.listener(base))
                try connection.send(Array("hello\n".utf8))
                // Reads until the idle timeout, or the reset of the limit, ends it.
                while try !connection.receive().isEmpty {}
            }
        }
    }

    private static func startFailing(_ threads: DemoThreads, base: UInt16) throws(SystemError) {
        // The upstream leaves input unread and so resets.
        try threads.repeat(every: .seconds(1)) {
            let connection = try BlockingSocket.connect(to: DemoRoute.flaky.listener(base))
            try connection.send([UInt8](repeating: 0x66, count: 4096))
            while try !connection.receive().isEmpty {}
        }
        // The client leaves the answer unread and so resets.
        try threads.repeat(every: .seconds(2)) {
            let connection = try BlockingSocket.connect(to: DemoRoute.web.listener(base))
            try connection.send(Array("GET / HTTP/1.1\r\nHost: demo\r\n\r\n".utf8))
            _ = try connection.receive(atMost: 16)
        }
        for (route, pause) in [
            (DemoRoute.dead, Duration.milliseconds(500)), (.silent, .seconds(1)), (.nameless, .seconds(2)),
        ] {
            try threads.repeat(every: pause) {
                let connection = try BlockingSocket.connect(to: route.listener(base))
                _ = try connection.receive()
            }
        }
    }

    private static func startUDP(_ threads: DemoThreads, base: UInt16) throws(SystemError) {
        // A new port for every query, as resolvers do.
        try threads.repeat(every: .milliseconds(50)) {
            let socket = try BlockingSocket.datagrams(to: DemoRoute.dns.listener(base), timeout: .seconds(1))
            try socket.send([UInt8](repeating: 0x64, count: 40))
            _ = try socket.receive()
        }
        try threads.repeat(every: .milliseconds(500)) {
            let socket = try BlockingSocket.datagrams(to: DemoRoute.game.listener(base), timeout: .seconds(1))
            while threads.isRunning {
                try socket.send([UInt8](repeating: 0x67, count: 200))
                _ = try socket.receive()
                threads.rest(.milliseconds(50))
            }
        }
        for route in [DemoRoute.syslog, .deadUDP] {
            try threads.repeat(every: .seconds(1)) {
                let socket = try BlockingSocket.datagrams(to: route.listener(base), timeout: .seconds(1))
                for _ in 0..<5 where threads.isRunning {
                    try socket.send(Array("<13>demo: a line that wants no answer\n".utf8))
                    threads.rest(.milliseconds(200))
                }
            }
        }
    }

    private static func converse(
        _ connection: BlockingSocket, messages: Int, pause: Duration, _ threads: DemoThreads
    ) throws {
        let message = [UInt8](repeating: 0x65, count: 1024)
        for _ in 0..<messages where threads.isRunning {
            try connection.send(message)
            var missing = message.count
            while missing > 0 {
                let bytes = try connection.receive()
                if bytes.isEmpty { return }
                missing -= bytes.count
            }
            threads.rest(pause)
        }
    }
}
