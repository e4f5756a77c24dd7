import Glibc
import WeirStream

/// Serves streams with no hooks and no observer until it is killed.
///
///     Engine WORKERS tcp4://127.0.0.1:PORT HOST:PORT udp4://127.0.0.1:PORT HOST:PORT ...
@main
struct Engine {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 3, arguments.count % 2 == 1, let workers = Int(arguments[0]) else {
            print("usage: Engine WORKERS LISTEN UPSTREAM [LISTEN UPSTREAM ...]")
            exit(2)
        }
        let engine = try StreamEngine(StreamEngine.Options(workers: workers))
        var streams: [any WeirStream.Stream] = []
        for index in stride(from: 1, to: arguments.count, by: 2) {
            let listen = try ListenAddress(arguments[index])
            let upstreams = [try Upstream(arguments[index + 1])]
            let name = "stream-\(index)"
            let stream: any WeirStream.Stream =
                if listen.network.transport == .tcp {
                    try TCPStream(
                        name: name, listen: listen, upstreams: upstreams, settings: TCPSettings(), engine: engine)
                } else {
                    try UDPStream(
                        name: name, listen: listen, upstreams: upstreams, settings: UDPSettings(), engine: engine)
                }
            try await stream.listenAndServe(hooks: StreamHooks())
            streams.append(stream)
        }
        for stream in streams { await stream.waitUntilClosed() }
    }
}
