import Loopback
import Synchronization
import WeirBalance
import WeirStream

/// A policy of one's own: all clients go to one upstream until a dial of it fails, then to the next one, and stay there
/// when the first is back, as with databases that must not change their primary twice.
///
/// All workers share it, so its state is an atomic; a policy that each worker has for itself needs none.
final class WithoutReturn: Sendable {
    private let active = Atomic<Int>(0)

    /// For `StreamHooks.makeSelector`: called on each worker.
    func makeSelector(_ members: [UpstreamMember], worker: Int) -> any UpstreamSelector {
        Selector(owner: self, members: members.map(\.handle))
    }

    private final class Selector: UpstreamSelector {
        private let owner: WithoutReturn
        private let members: [UpstreamHandle]

        init(owner: WithoutReturn, members: [UpstreamHandle]) {
            self.owner = owner
            self.members = members
        }

        func next(for client: SocketAddress, tried: TriedUpstreams, now: UInt64) -> UpstreamHandle? {
            let first = owner.active.load(ordering: .relaxed)
            return members.indices.lazy.map { self.members[(first + $0) % self.members.count] }
                .first { !tried.contains($0) }
        }

        func chosen(_ member: UpstreamHandle) {}

        func dialEnded(_ member: UpstreamHandle, failure: DialFailure?, now: UInt64) {
            guard failure != nil, let failed = members.firstIndex(of: member) else { return }
            // Only where no other client has moved on already.
            _ = owner.active.compareExchange(
                expected: failed, desired: (failed + 1) % members.count, ordering: .relaxed)
        }

        func answered(_ member: UpstreamHandle, now: UInt64) {}
        func brokeUnanswered(_ member: UpstreamHandle, isAsked: Bool, now: UInt64) {}
        func released(_ member: UpstreamHandle) {}
    }
}

/// Counts dials that failed.
final class FailedDials: StreamObserver {
    let count = Atomic<Int>(0)

    func dialFailed(_ context: StreamContext, upstream: Int, reason: DialFailure, detail: SystemError?) {
        count.add(1, ordering: .relaxed)
    }
}

extension Embedding {
    /// Three clients with a policy of one's own; no process listens at the first upstream, which only the first client
    /// notices.
    static func chooseByOwnPolicy() async throws {
        let server = try EchoServer(name: "green ")
        server.serve()
        let policy = WithoutReturn()
        let failed = FailedDials()
        let stream = try TCPStream(
            name: "primary", listen: try ListenAddress("tcp://127.0.0.1:0"),
            upstreams: [try Upstream("127.0.0.1:1"), try Upstream("127.0.0.1:\(server.port)")],
            settings: TCPSettings(), engine: try StreamEngine.shared())
        try await stream.listenAndServe(hooks: StreamHooks(makeSelector: policy.makeSelector, observer: failed))
        var answers: [String] = []
        for word in ["grass", "tea", "light"] {
            answers.append(try Client.exchange(word, port: stream.localAddress.port))
        }
        await stream.close()
        await stream.waitUntilClosed()
        print("own policy: \(answers.joined(separator: ", ")); failed dials: \(failed.count.load(ordering: .relaxed))")
    }

    /// The policies of `WeirBalance`: two upstreams in turn, until one of them drains.
    static func balance() async throws {
        let servers = [try EchoServer(name: "blue "), try EchoServer(name: "green ")]
        for server in servers { server.serve() }
        let upstreams = try servers.map { try Upstream("127.0.0.1:\($0.port)") }
        let members = upstreams.map { BalancedMember("\($0)") }
        // The time is that of the engine's clock.
        let clock = MonotonicClock.system
        let set = try UpstreamSet(
            BalanceConfiguration(members, method: .roundRobin), transport: .tcp, now: clock.nanoseconds)
        let stream = try TCPStream(
            name: "balanced", listen: try ListenAddress("tcp://127.0.0.1:0"), upstreams: upstreams,
            settings: TCPSettings(), engine: try StreamEngine.shared())
        try await stream.listenAndServe(hooks: StreamHooks(makeSelector: set.makeSelector()))
        var names: Set<Substring> = []
        for _ in 0..<20 {
            let answer: String = try Client.exchange("?", port: stream.localAddress.port)
            names.insert(answer.prefix { $0 != " " })
        }
        set.setDraining(members[0].name, to: true, now: clock.nanoseconds)
        let last: String = try Client.exchange("grass", port: stream.localAddress.port)
        await stream.close()
        await stream.waitUntilClosed()
        print("balanced: \(names.sorted().joined(separator: ", ")); while one drains: \(last)")
    }
}
