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
    /// The address of the name that answers datagrams.
    var answers = AnswerMemory()
    /// Our own address towards the upstream, for sessions that get no answers.
    var ownAddress = OwnAddressProbe()
    private var waiting: [EventToken] = []
    /// The length of ``waiting`` at which ended owners are removed from it.
    private var waitingBound = 64
    /// The address that answered while an earlier one was silent, and the time until which it is tried first.
    private var answered: (address: SocketAddress, until: UInt64)?
    /// The dials in a row for clients with an address of the upstream that brought no answer, and when they began.
    private var returns = 0
    private var returnsSince: UInt64 = 0
    private var lastRefresh: UInt64 = 0
    private static let refreshIntervalNanoseconds: UInt64 = 1_000_000_000
    /// How long an answer is remembered, after RFC 6555 section 4.2: about ten minutes.
    static let memoryNanoseconds: UInt64 = 600_000_000_000

    init(_ upstream: Upstream) {
        self.upstream = upstream
        answer = upstream.literal.map { .addresses([$0]) } ?? .pending
    }

    /// Applies a new result of the resolver, and defers the owners that wait for it.
    func publish(_ new: NameAnswer, on loop: EventLoop) {
        let port = upstream.port
        var withPort = new
        if case .addresses(let list) = new {
            var list = list.map { SocketAddress($0.ip, port: port, scope: $0.scope) }
            if let known = answers.address, let index = list.firstIndex(of: known) { list.swapAt(0, index) }
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

    /// The dials in a row without any answer that may go back to where their clients come from, within ten
    /// minutes.
    static let maxReturns = 10_000
    static let returnsPeriodNanoseconds: UInt64 = 600_000_000_000

    /// Counts a dial that goes back to the address from which its client comes, and refuses the one too many.
    ///
    /// Two proxies that dial each other turn one client into such dials without an end, and nothing ever answers.
    /// One refusal ends that chain. Where it was none (one-way traffic of a machine to itself) it costs one client of
    /// five thousand.
    func mayReturn(now: UInt64) -> Bool {
        if returns == 0 || now - min(now, returnsSince) > Self.returnsPeriodNanoseconds {
            returns = 0
            returnsSince = now
        }
        returns += 1
        guard returns > Self.maxReturns else { return true }
        returns = Self.maxReturns / 2
        returnsSince = now
        return false
    }

    /// The upstream has sent something, or has ended a connection: there is a server.
    func noteAnswer() { returns = 0 }

    /// Remembers that an address answered while an earlier one was silent.
    func noteAnswer(from address: SocketAddress, now: UInt64) {
        let (until, isBeyond) = now.addingReportingOverflow(Self.memoryNanoseconds)
        answered = (address, isBeyond ? .max : until)
    }

    /// Returns the addresses in the order in which a dial tries them: the one that answered while another was silent
    /// comes first for a while, or else one of its family, so that a family without a way costs one delay and not one
    /// for each dial (RFC 8305 sections 3 and 5).
    func dialOrder(_ addresses: [SocketAddress], now: UInt64) -> [SocketAddress] {
        guard let answered, addresses.count > 1 else { return addresses }
        guard now < answered.until else {
            self.answered = nil
            return addresses
        }
        let isIPv4 = answered.address.ip.isIPv4
        guard
            let index = addresses.firstIndex(of: answered.address)
                ?? addresses.firstIndex(where: { $0.ip.isIPv4 == isIPv4 }), index > 0
        else { return addresses }
        var order = addresses
        order.insert(order.remove(at: index), at: 0)
        return UpstreamResolver.interleave(order)
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
