import Loopback
import WeirAccess
import WeirStream

/// Rules and limits of WeirAccess on a stream: who may come in, and how much of it one client gets. The tests compare
/// the lines that it prints.
@main
struct Access {
    static func main() async throws {
        let server = try EchoServer(name: "welcome ")
        server.serve()
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)")
        var hooks = StreamHooks()
        hooks.enforce(
            try AccessPolicy(deny: ["127.0.0.8/29", "ip:203.0.113.7"], allow: ["cidr:10.0.0.0/8"], default: .deny))
        hooks.enforce(try ClientLimiter(ClientLimits(maxConnectionsPerClient: 1, rate: .init(100, burst: 3))))
        try await stream.listenAndServe(hooks: hooks)

        let port = stream.localAddress.port
        print("127.0.0.2: \"\(try answer(from: 2, port))\"")
        print("127.0.0.9: \"\(try answer(from: 9, port))\"")

        // While one connection is open the client gets no other; others do, and so does it afterwards.
        let open = try Client.connect(port: port, from: host(3))
        let greeting = open.receive()
        print("beside it: \"\(try answer(from: 3, port))\", another client: \"\(try answer(from: 4, port))\"")
        open.finish()
        print("it gets \"\(greeting)\", and when it is closed: \"\(try untilAnswered(from: 3, port))\"")

        await stream.close()
        await stream.waitUntilClosed()
    }

    private static func host(_ last: UInt32) -> UInt32 { 0x7f00_0000 | last }

    private static func answer(from last: UInt32, _ port: UInt16) throws -> String {
        try Client.exchange("hello", port: port, from: host(last))
    }

    /// The place is free when the proxy has seen the end, a moment after the client has.
    private static func untilAnswered(from last: UInt32, _ port: UInt16) throws -> String {
        for _ in 0..<1_000 {
            let text = try answer(from: last, port)
            if !text.isEmpty { return text }
            Client.pause()
        }
        return ""
    }
}
