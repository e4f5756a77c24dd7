import Glibc
import Loopback
import Synchronization
import WeirStream

/// Each example serves a stream with hooks, lets clients speak through it, and prints what came of it. The tests
/// compare the lines.
@main
struct Embedding {
    static func main() async throws {
        try await countBytes()
        try await limitBytes()
        try await lookUpClients()
        try await chooseUpstream()
        try await chooseByOwnPolicy()
        try await balance()
    }
}

/// Counts what flows, as a hook would that measures.
final class Meter: Sendable {
    let ingress = Atomic<Int>(0)
    let egress = Atomic<Int>(0)

    func count(_ event: ReadEvent) -> ReadDecision {
        switch event.direction {
        case .ingress: ingress.add(event.byteCount, ordering: .relaxed)
        case .egress: egress.add(event.byteCount, ordering: .relaxed)
        }
        return .forward
    }
}

extension Embedding {
    /// Relays one connection to a small echo server, and says what it saw.
    static func countBytes() async throws {
        let server = try EchoServer()
        server.serve()
        let meter = Meter()
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "localhost:\(server.port)")
        try await stream.listenAndServe(
            preDial: { request in
                print("route \(request.route): \(request.clientAddress.ip) wants \(request.upstreams[0])")
                return .dial
            },
            onRead: meter.count)
        let answer: String = try Client.exchange("hello through the weir", port: stream.localAddress.port)
        print("answer: \(answer)")
        await stream.close()
        await stream.waitUntilClosed()
        print("ingress \(meter.ingress.load(ordering: .relaxed)), egress \(meter.egress.load(ordering: .relaxed))")
    }
}
