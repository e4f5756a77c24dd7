import LinuxIO

extension ScrapeConnection {
    /// The order in which connections are evicted when there is no room for a newcomer: the lowest rank first, and
    /// within a rank the one that has waited longest.
    struct EvictionPriority: Comparable {
        enum Rank: Int {
            /// It has its last answer.
            case lingering
            /// It has had time enough to send its head, and has not.
            case slowSender
            /// Between requests. HTTP clients expect a close then (RFC 9112 section 9.3.1).
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

        static func < (left: EvictionPriority, right: EvictionPriority) -> Bool {
            (left.rank.rawValue, left.since) < (right.rank.rawValue, right.since)
        }
    }

    /// Nil for a connection that is not evicted: its only request is complete, and it is being answered.
    var evictionPriority: EvictionPriority? {
        let hasWaitedLong = server.loop.now - waitingSince >= server.limits.stallTime.clampedNanoseconds
        switch phase {
        case .awaitingHead where isServed && !scanner.hasBegun:
            return hasPipelinedInput ? pipelinerPriority : EvictionPriority(rank: .idle, since: waitingSince)
        case .handshaking, .awaitingHead, .discardingBody:
            return EvictionPriority(rank: hasWaitedLong ? .slowSender : .newcomer, since: waitingSince)
        // The client is not known yet.
        case .awaitingVerdict: return EvictionPriority(rank: .newcomer, since: waitingSince)
        case .lingering: return EvictionPriority(rank: .lingering, since: waitingSince)
        case .writing: return isStalled ? EvictionPriority(rank: .slowReader, since: lastProgress) : pipelinerPriority
        case .awaitingPage, .awaitingAnswer: return pipelinerPriority
        case .silent: return EvictionPriority(rank: .idle, since: waitingSince)
        case .closed: return nil
        }
    }

    private var pipelinerPriority: EvictionPriority? {
        input.isEmpty ? nil : EvictionPriority(rank: .pipeliner, since: waitingSince)
    }

    /// Whether the client has stopped taking its answer, or takes it too slowly to ever be done.
    var isStalled: Bool {
        let now = server.loop.now
        return phase == .writing
            && (now - lastProgress >= server.limits.stallTime.clampedNanoseconds
                || now - waitingSince >= server.limits.writeTimeout.clampedNanoseconds)
    }

    /// Reads what may have arrived in this turn, before the connection is evicted for want of a complete request.
    func readPendingInput() {
        switch phase {
        case .awaitingHead: readHead()
        case .discardingBody(let rest): discardBody(rest)
        default: break
        }
    }
}
