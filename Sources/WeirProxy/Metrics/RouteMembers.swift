import WeirStream

/// Which members of each closed label can occur today, for the transport and for a route's settings. They are exported
/// at 0 from the start, so that `rate()` sees the first event; the others are not exported at all.
enum RouteMembers {
    /// The members of limits and of PROXY headers are there without them too: a reload can set one at any time, and the
    /// counters that `active` is derived from stay the same as long as the route has its name.
    static let tcpRejectReasons: [RejectReason] = [.routeLimit, .proxyProtocol]
    /// A UDP session whose upstream's name gives no address has none to choose.
    static let udpRejectReasons: [RejectReason] = [.sessionLimit, .noUpstream, .draining]

    static let connectionCloseReasons: [ConnectionCloseReason] = [
        .clientEOF, .upstreamEOF, .clientReset, .upstreamReset, .timeout, .dialFailed, .drained, .killed, .error,
    ]
    static let sessionCloseReasons: [SessionCloseReason] = [
        .idle, .responses, .evicted, .upstreamError, .drained, .routeRemoved,
    ]

    /// Those of datagrams from clients. None is truncated: the buffer holds the longest that UDP can carry.
    static let ingressDropReasons: [DropReason] = [
        .sessionLimit, .queueFull, .noUpstream, .sendBuffer, .tooLarge, .draining, .kernelOverflow, .error,
    ]
    /// Replies belong to a session that is there.
    static let egressDropReasons: [DropReason] = [.sendBuffer, .tooLarge, .error]

    static let timeoutKinds: [TimeoutKind] = [.dial, .idle, .halfClose, .proxyHeader, .drain]

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
        guard route.transport == .tcp else { return [.drain] }
        return timeoutKinds.filter { kind in
            switch kind {
            case .idle: route.hasIdleTimeout
            case .proxyHeader: route.readsProxyHeaders
            default: true
            }
        }
    }
}
