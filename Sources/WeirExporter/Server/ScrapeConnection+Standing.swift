import LinuxIO
import NetworkTypes

/// The origin of a client, as bounds count it.
struct ClientSource: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64
    private let isLocal: Bool

    /// A whole IPv4 address; of an IPv6 one the network half, because a client can choose the rest at will. Clients of
    /// Unix sockets, who have no address, are one source.
    init(_ peer: SocketAddress?) {
        guard let ip = peer?.ip else {
            (high, low, isLocal) = (0, 0, true)
            return
        }
        high = ip.high
        low = ip.isIPv4 || ip.isLoopback ? ip.low : 0
        isLocal = false
    }
}

extension ScrapeConnection {
    /// The order in which connections give way when there is no room for a newcomer: the lowest rank, and in it who
    /// waits longest.
    struct Standing: Comparable {
        enum Rank: Int {
            /// It has its last answer.
            case lingering
            /// It has had time enough to send its head.
            case slowSender
            /// Between requests. HTTP clients are ready for that end (RFC 9112 section 9.3.1).
            case idle
            /// It has its answer, and does not take it.
            case slowReader
            /// It is being answered, and has sent further requests behind the one that is. Scrapers and probes do not.
            case pipeliner
            /// It was accepted, or began its head, a moment ago.
            case newcomer
        }

        var rank: Rank
        var since: UInt64

        static func < (left: Standing, right: Standing) -> Bool {
            (left.rank.rawValue, left.since) < (right.rank.rawValue, right.since)
        }
    }

    /// Nil for a connection that does not give way: its only request is complete, and it is being answered.
    var standing: Standing? {
        let hasWaitedLong = server.loop.now - waitingSince >= server.limits.stallTime.clampedNanoseconds
        switch phase {
        case .awaitingHead where isServed && !scanner.hasBegun:
            return hasPipelinedInput ? pipelinerStanding : Standing(rank: .idle, since: waitingSince)
        case .awaitingHead, .discardingBody:
            return Standing(rank: hasWaitedLong ? .slowSender : .newcomer, since: waitingSince)
        // The client is not known yet.
        case .awaitingVerdict: return Standing(rank: .newcomer, since: waitingSince)
        case .lingering: return Standing(rank: .lingering, since: waitingSince)
        case .writing: return isStalled ? Standing(rank: .slowReader, since: lastProgress) : pipelinerStanding
        case .awaitingPage: return pipelinerStanding
        case .closed: return nil
        }
    }

    private var pipelinerStanding: Standing? {
        input.isEmpty ? nil : Standing(rank: .pipeliner, since: waitingSince)
    }

    /// Whether the client has stopped taking its answer, or takes it too slowly to ever be done.
    var isStalled: Bool {
        let now = server.loop.now
        return phase == .writing
            && (now - lastProgress >= server.limits.stallTime.clampedNanoseconds
                || now - waitingSince >= server.limits.writeTimeout.clampedNanoseconds)
    }

    /// Reads what may have arrived in this turn, before the connection has to go for want of a complete request.
    func takeLastChance() {
        switch phase {
        case .awaitingHead: readHead()
        case .discardingBody(let rest): discardBody(rest)
        default: break
        }
    }
}
