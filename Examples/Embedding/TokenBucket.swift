import Loopback
import Synchronization
import WeirStream

/// So many bytes a second for one connection, with a burst: a token bucket for `onRead`.
///
/// `onRead` runs on the worker that carries the connection, and only there, so the bucket needs no lock; an atomic
/// makes that plain to the compiler.
final class TokenBucket: Sendable {
    static let bytesPerSecond = 400_000
    /// At most this much at once. Told to the engine, so that no read and no splice brings more.
    static let burst = 20_000

    private let start = ContinuousClock.now
    /// When the bucket will be full again, in nanoseconds since the start.
    private let fullAt = Atomic<Int64>(0)

    func take(_ byteCount: Int) -> ReadDecision {
        let now = Int64((ContinuousClock.now - start) / .nanoseconds(1))
        let cost = Int64(byteCount) * 1_000_000_000 / Int64(Self.bytesPerSecond)
        let full = max(fullAt.load(ordering: .relaxed), now) + cost
        fullAt.store(full, ordering: .relaxed)
        let debt = full - now - Int64(Self.burst) * 1_000_000_000 / Int64(Self.bytesPerSecond)
        return debt <= 0 ? .forward : .pause(.nanoseconds(debt))
    }
}

/// How often the example paused.
final class Pauses: Sendable {
    let count = Atomic<Int>(0)
}

extension Embedding {
    /// Holds what comes back from the upstream to a rate. `admit` hangs a bucket on each connection.
    static func limitBytes() async throws {
        let server = try EchoServer()
        server.serve()
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)")
        let pauses = Pauses()
        let hooks = StreamHooks(
            admit: { context in
                context.attach(TokenBucket())
                return .accept
            },
            onRead: { event in
                guard event.direction == .egress, let bucket = event.context.attachment as? TokenBucket else {
                    return .forward
                }
                let decision = bucket.take(event.byteCount)
                if case .pause = decision { pauses.count.add(1, ordering: .relaxed) }
                return decision
            },
            maxReadByteCount: TokenBucket.burst)
        try await stream.listenAndServe(hooks: hooks)
        let start = ContinuousClock.now
        let answer: [UInt8] = try Client.exchange([UInt8](repeating: 7, count: 220_000), port: stream.localAddress.port)
        let time = ContinuousClock.now - start
        await stream.close()
        await stream.waitUntilClosed()
        // 20,000 bytes at once, and the rest in half a second.
        let isHeld = time >= .milliseconds(450) && pauses.count.load(ordering: .relaxed) >= 9
        print("token bucket: \(answer.count) bytes, \(isHeld ? "held to the rate" : "too fast: \(time)")")
    }
}
