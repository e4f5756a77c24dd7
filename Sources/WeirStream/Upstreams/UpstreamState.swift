import LinuxIO
import NetworkTypes

/// The state of one upstream of a route on one worker: the addresses of its name, and the owners that wait for them.
/// Confined to the worker.
final class UpstreamState {
    let upstream: Upstream
    private(set) var answer: NameAnswer
    /// The number of changes of the addresses, so that a session notices that its address may be gone.
    private(set) var epoch = 0
    /// The history of its connections, for ``AckHeuristic``.
    var ackHeuristic = AckHeuristic()
    /// The address of the name that accepted a connection while an earlier one was silent.
    var families = FamilyMemory()
    /// The address of the name that answers datagrams.
    var answers = AnswerMemory()
    /// The dials that went back to where their clients come from.
    var returnedDials = ReturnedDials()
    /// Our own address towards the upstream, for sessions that get no answers.
    var ownAddress = OwnAddressProbe()
    /// Whether it is dialed over IP, and no agent stands in front of it.
    let isDirect: Bool
    /// The way through the agent in front of it.
    var tunnel: (any UpstreamTunnel)?
    private var waiting: [EventToken] = []
    /// The length of ``waiting`` at which ended owners are removed from it.
    private var waitingBound = 64
    private var lastRefresh: UInt64 = 0
    private static let refreshIntervalNanoseconds: UInt64 = 1_000_000_000

    init(_ upstream: Upstream) {
        self.upstream = upstream
        isDirect = upstream.host.unixPath == nil && upstream.behindAgent == nil
        answer = upstream.literal.map { .addresses([$0]) } ?? .pending
    }

    /// Creates the state of another port of the same host, with the addresses that `other` has.
    init(_ upstream: Upstream, like other: UpstreamState) {
        self.upstream = upstream
        isDirect = other.isDirect
        tunnel = other.tunnel
        answer = upstream.literal.map { .addresses([$0]) } ?? other.answer.withPort(upstream.port)
    }

    /// Applies a new result of the resolver, and defers the owners that wait for it.
    func publish(_ new: NameAnswer, on loop: EventLoop) {
        var withPort = new.withPort(upstream.port)
        if case .addresses(var list) = withPort, let known = answers.address, let index = list.firstIndex(of: known) {
            list.swapAt(0, index)
            withPort = .addresses(list)
        }
        if withPort != answer { epoch += 1 }
        answer = withPort
        for token in waiting { loop.defer(token) }
        waiting = []
        waitingBound = 64
    }

    /// Defers `token`'s owner when the next result arrives. The list removes ended owners as it grows, so that during a
    /// slow lookup it holds at most about twice as many as exist.
    func wait(_ token: EventToken, on loop: EventLoop) {
        if waiting.count >= waitingBound {
            waiting.removeAll { loop.handler(of: $0) == nil }
            waitingBound = max(64, waiting.count * 2)
        }
        waiting.append(token)
    }

    /// Moves an address that accepted a connection to the front.
    func prefer(_ address: SocketAddress) {
        guard case .addresses(var list) = answer, list.first != address,
            let index = list.firstIndex(of: address)
        else { return }
        list.swapAt(0, index)
        answer = .addresses(list)
    }

    var hasSeveralAddresses: Bool {
        if case .addresses(let list) = answer { list.count > 1 } else { false }
    }

    func contains(_ address: SocketAddress) -> Bool {
        if case .addresses(let list) = answer { list.contains(address) } else { false }
    }

    /// Whether a failed dial may request a lookup of the name now: at most once a second.
    func mayRefresh(now: UInt64) -> Bool {
        guard upstream.literal == nil, now >= lastRefresh + Self.refreshIntervalNanoseconds || lastRefresh == 0 else {
            return false
        }
        lastRefresh = max(now, 1)
        return true
    }
}

extension NameAnswer {
    /// The answer with addresses of this port.
    fileprivate func withPort(_ port: UInt16) -> NameAnswer {
        guard case .addresses(let list) = self else { return self }
        return .addresses(list.map { SocketAddress($0.ip, port: port, scope: $0.scope) })
    }
}
