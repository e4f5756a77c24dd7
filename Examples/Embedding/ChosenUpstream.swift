import Loopback
import WeirStream

extension Embedding {
    /// Sends clients of one network to one upstream and all others to another one. `preDial` is the
    /// hook that chooses, also where the choice needs no waiting.
    static func chooseUpstream() async throws {
        let servers = [try EchoServer(name: "blue "), try EchoServer(name: "green ")]
        for server in servers { server.serve() }
        let stream = try TCPStream(
            name: "colors", listen: try ListenAddress("tcp://127.0.0.1:0"),
            upstreams: try servers.map { try Upstream("127.0.0.1:\($0.port)") }, settings: TCPSettings(),
            engine: try StreamEngine.shared())
        try await stream.listenAndServe(preDial: { request in
            // An index into the configured upstreams, which the request lists.
            .dialUpstream(request.clientAddress.ip == .loopbackIPv4 ? 0 : 1)
        })
        let port = stream.localAddress.port
        let first: String = try Client.exchange("sky", port: port)
        let second: String = try Client.exchange("grass", port: port, from: 0x7f00_0002)
        await stream.close()
        await stream.waitUntilClosed()
        print("chosen: \(first), \(second)")
    }
}
