import LinuxIO
import NetworkTypes

/// One upstream of a route as a worker knows it: the answer of its name, and the owners that wait for it. Confined to the
/// worker.
final class UpstreamState {
    let upstream: Upstream
    private(set) var answer: NameAnswer
    /// Counts the answers that differed, so that a session can see that its address may have left.
    private(set) var epoch = 0
    /// How connections to it have gone.
    var ackHeuristic = AckHeuristic()
    private var waiting: [EventToken] = []
    /// How long ``waiting`` may become before those that have ended leave it.
    private var waitingBound = 64
    private var lastRefresh: UInt64 = 0
    private static let refreshEvery: UInt64 = 1_000_000_000

    init(_ upstream: Upstream) {
        self.upstream = upstream
        answer = upstream.literal.map { .addresses([$0]) } ?? .pending
    }

    /// A new answer from the resolver: those who waited get a turn.
    func publish(_ new: NameAnswer, on loop: EventLoop) {
        let port = upstream.port
        var withPort = new
        if case .addresses(let list) = new {
            withPort = .addresses(list.map { SocketAddress($0.ip, port: port, scope: $0.scope) })
        }
        if withPort != answer { epoch += 1 }
        answer = withPort
        for token in waiting { loop.defer(token) }
        waiting = []
        waitingBound = 64
    }

    /// Defers `token`'s owner once an answer is there. Owners that ended meanwhile leave the list in time, so that a
    /// look-up that hangs holds about as many as are alive.
    func wait(_ token: EventToken, on loop: EventLoop) {
        if waiting.count >= waitingBound {
            waiting.removeAll { loop.handler(of: $0) == nil }
            waitingBound = max(64, waiting.count * 2)
        }
        waiting.append(token)
    }

    /// Puts an address that proved to work before the others.
    func prefer(_ address: SocketAddress) {
        guard case .addresses(var list) = answer, list.first != address,
            let place = list.firstIndex(of: address)
        else { return }
        list.swapAt(0, place)
        answer = .addresses(list)
    }

    func contains(_ address: SocketAddress) -> Bool {
        if case .addresses(let list) = answer { list.contains(address) } else { false }
    }

    /// Whether the name should be asked again now, because a dial failed: at most once a second.
    func mayRefresh(now: UInt64) -> Bool {
        guard upstream.literal == nil, now >= lastRefresh + Self.refreshEvery || lastRefresh == 0 else { return false }
        lastRefresh = max(now, 1)
        return true
    }
}
