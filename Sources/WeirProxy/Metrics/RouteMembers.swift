import WeirStream

/// Which members of each closed label can occur today, for the transport and for a route's settings. They are exported
/// at 0 from the start, so that `rate()` sees the first event; the others are not exported at all.
enum RouteMembers {
    /// Those of every route, and those that only a feature brings. The limit's member is there without a limit too.
    static let tcpRejectReasons: [RejectReason] = [.routeLimit, .proxyProtocol] + featureRejectReasons
    /// A UDP session whose upstream's name gives no address has none to choose.
    static let udpRejectReasons: [RejectReason] = [.sessionLimit, .noUpstream, .draining] + featureRejectReasons
    private static let featureRejectReasons: [RejectReason] = [.acl, .perIPLimit, .rateLimit, .hook]

    /// The reasons that can occur, and those that a reload can make possible. The latter are counters, too, which are
    /// hidden until then: those that `active` is derived from stay the same as long as the route has its name.
    static func rejectReasons(
        _ transport: Transport, _ features: RouteFeatures
    ) -> (shown: [RejectReason], hidden: [RejectReason]) {
        let all = transport == .tcp ? tcpRejectReasons : udpRejectReasons
        func isPossible(_ reason: RejectReason) -> Bool {
            switch reason {
            case .acl: features.hasAccessRules
            case .perIPLimit: features.hasPerIPLimit
            case .rateLimit: features.hasRateLimit
            case .hook: features.hasPreDial
            case .proxyProtocol: features.readsProxyHeaders
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
        .acl, .sessionLimit, .rateLimit, .bandwidth, .queueFull, .noUpstream, .sendBuffer, .tooLarge, .draining,
        .kernelOverflow, .error,
    ]
    /// Replies belong to a session that is there.
    private static let egressDropReasons: [DropReason] = [.bandwidth, .sendBuffer, .tooLarge, .error]

    /// Why a route may drop a datagram.
    static func dropReasons(_ direction: Direction, _ features: RouteFeatures) -> [DropReason] {
        (direction == .ingress ? ingressDropReasons : egressDropReasons).filter { reason in
            switch reason {
            case .acl: features.hasAccessRules
            case .rateLimit: features.hasRateLimit
            case .bandwidth: features.hasBandwidth
            default: true
            }
        }
    }

    static let timeoutKinds: [TimeoutKind] = [.dial, .idle, .halfClose, .proxyHeader, .preDial, .drain]

    /// Version 1 has no form for datagrams.
    static func proxyVersions(_ transport: Transport) -> [ProxyHeader.Version] {
        transport == .tcp ? ProxyHeader.Version.allCases : [.v2]
    }

    /// A datagram is whole or it is not: nothing of it can be late.
    static func proxyErrors(_ transport: Transport) -> [ProxyHeaderError] {
        transport == .tcp ? ProxyHeaderError.allCases : ProxyHeaderError.allCases.filter { $0 != .timeout }
    }

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

    /// Timers that can fire on a route. UDP sessions end by silence as a rule.
    static func timeouts(_ route: RouteDescription) -> [TimeoutKind] {
        timeoutKinds.filter { kind in
            switch kind {
            case .dial, .halfClose: route.transport == .tcp
            case .idle: route.transport == .tcp && route.hasIdleTimeout
            case .proxyHeader: route.transport == .tcp && route.features.readsProxyHeaders
            case .preDial: route.features.hasPreDial
            default: true
            }
        }
    }
}
