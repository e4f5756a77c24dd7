import WeirStream

/// Which members of each closed label can occur today, for the transport and for a route's settings. They are exported
/// at 0 from the start, so that `rate()` sees the first event; the others are not exported at all.
enum RouteMembers {
    /// Those of every route, and those that only a feature brings. The limit's member is there without a limit too.
    static let tcpRejectReasons: [RejectReason] = [.routeLimit] + featureRejectReasons
    /// A UDP session whose upstream's name gives no address has none to choose.
    static let udpRejectReasons: [RejectReason] = [.sessionLimit, .noUpstream, .draining] + featureRejectReasons
    private static let featureRejectReasons: [RejectReason] = [.perIPLimit, .rateLimit, .hook]

    /// The reasons that can occur, and those that a reload can make possible. The latter are counters, too, which are
    /// hidden until then: those that `active` is derived from stay the same as long as the route has its name.
    static func rejectReasons(
        _ transport: Transport, _ features: RouteFeatures
    ) -> (shown: [RejectReason], hidden: [RejectReason]) {
        let all = transport == .tcp ? tcpRejectReasons : udpRejectReasons
        func isPossible(_ reason: RejectReason) -> Bool {
            switch reason {
            case .perIPLimit: features.hasPerIPLimit
            case .rateLimit: features.hasRateLimit
            case .hook: features.hasPreDial
            default: true
            }
        }
        return (all.filter(isPossible), all.filter { !isPossible($0) })
    }

    static let connectionCloseReasons: [ConnectionCloseReason] = [
        .clientEOF, .upstreamEOF, .clientReset, .upstreamReset, .timeout, .dialFailed, .drained, .killed, .error,
    ]
    static let sessionCloseReasons: [SessionCloseReason] = [
        .idle, .responses, .evicted, .upstreamError, .drained, .routeRemoved,
    ]

    /// Those of datagrams from clients. None is truncated: the buffer holds the longest that UDP can carry.
    static let ingressDropReasons: [DropReason] = [
        .sessionLimit, .rateLimit, .bandwidth, .queueFull, .noUpstream, .sendBuffer, .tooLarge, .draining,
        .kernelOverflow, .error,
    ]
    /// Replies belong to a session that is there.
    private static let egressDropReasons: [DropReason] = [.bandwidth, .sendBuffer, .tooLarge, .error]

    /// Why a route may drop a datagram.
    static func dropReasons(_ direction: Direction, _ features: RouteFeatures) -> [DropReason] {
        (direction == .ingress ? ingressDropReasons : egressDropReasons).filter { reason in
            switch reason {
            case .rateLimit: features.hasRateLimit
            case .bandwidth: features.hasBandwidth
            default: true
            }
        }
    }

    static let timeoutKinds: [TimeoutKind] = [.dial, .idle, .halfClose, .preDial, .drain]

    /// What can go wrong with a dial. Only a name can fail to resolve, or turn out to be one of our listeners.
    static func dialFailures(_ transport: Transport, isName: Bool) -> [DialFailure] {
        let all: [DialFailure] =
            switch transport {
            case .tcp: DialFailure.allCases
            // connect(2) of a datagram socket asks nobody: it is not refused, reset or late.
            case .udp: [.unreachable, .dns, .descriptorLimit, .addressUnavailable, .permission, .loop, .other]
            }
        return isName ? all : all.filter { $0 != .dns && $0 != .loop }
    }

    /// Timers that can fire. `hasIdleTimeout` is about TCP; UDP sessions end by silence as a rule.
    static func timeouts(
        _ transport: Transport, hasIdleTimeout: Bool, _ features: RouteFeatures = RouteFeatures()
    ) -> [TimeoutKind] {
        timeoutKinds.filter { kind in
            switch kind {
            case .dial, .halfClose: transport == .tcp
            case .idle: transport == .tcp && hasIdleTimeout
            case .preDial: features.hasPreDial
            default: true
            }
        }
    }
}
