// Closed enumerations: each raw value is a metric label and the word in the log.

/// Why a connection or session was ended before a dial.
public enum RejectReason: String, CaseIterable, Sendable {
    /// An access rule denied the client.
    case acl
    /// The route has as many connections as it may have.
    case routeLimit = "route_limit"
    /// The table of sessions is full, and no unassured session could make room.
    case sessionLimit = "session_limit"
    /// The client's address has as many as it may have.
    case perIPLimit = "per_ip_limit"
    /// The client's network opens them too fast.
    case rateLimit = "rate_limit"
    /// A hook refused, failed or took too long.
    case hook
    /// There was no upstream to choose.
    case noUpstream = "no_upstream"
    /// The PROXY header was missing or wrong.
    case proxyProtocol = "proxy_protocol"
    /// The route no longer takes new sessions.
    case draining
    /// The handshake with the client failed, or took too long.
    case tls

    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .acl: .on(.accessRules)
        case .routeLimit: .on(.tcp)
        case .sessionLimit, .draining: .on(.udp)
        case .perIPLimit: .on(.clientLimit)
        case .rateLimit: .on(.rateLimit)
        case .hook: .on(.preDial)
        // A UDP session whose upstream's name gives no address has none; otherwise a hook named one that is not there.
        case .noUpstream: .on(.udp, or: [.tcp, .preDial])
        // A datagram with a wrong header opens no session.
        case .proxyProtocol: .on([.tcp, .proxyHeaders])
        case .tls: .on([.tcp, .encryptedClient])
        }
    }
}

/// Why a TCP connection ended that was not rejected. A reset or an error outranks an end of stream that came earlier.
public enum ConnectionCloseReason: String, CaseIterable, Sendable {
    /// Both ended well, the client first.
    case clientEOF = "client_eof"
    /// Both ended well, the upstream first.
    case upstreamEOF = "upstream_eof"
    /// The client broke the connection.
    case clientReset = "client_reset"
    /// The upstream broke the connection.
    case upstreamReset = "upstream_reset"
    /// A timer of ours, or a peer that stopped answering the kernel's probes.
    case timeout
    /// No upstream could be reached.
    case dialFailed = "dial_failed"
    /// A hook closed it.
    case hook
    /// It outlived the drain time of its route or of the process.
    case drained
    /// The process was told to end at once.
    case killed
    /// Any other failure.
    case error

    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .clientEOF, .upstreamEOF, .clientReset, .upstreamReset, .timeout, .dialFailed, .drained, .killed, .error:
            .on(.tcp)
        case .hook: .on([.tcp, .closingHook])
        }
    }
}

/// Why a UDP session ended that was not rejected.
public enum SessionCloseReason: String, CaseIterable, Sendable {
    /// Silence for as long as its tier allows: the normal end.
    case idle
    /// It had as many replies as the route expects.
    case responses
    /// It made room for a newer one.
    case evicted
    /// A local, hard error of its upstream socket.
    case upstreamError = "upstream_error"
    /// It fell silent while its route or the process drained, or outlived the drain time.
    case drained
    /// Its route was removed, or does not admit its client any more, and it was ended at once.
    case routeRemoved = "route_removed"
    /// A hook closed it.
    case hook

    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .idle, .responses, .evicted, .upstreamError, .drained, .routeRemoved: .on(.udp)
        case .hook: .on([.udp, .closingHook])
        }
    }
}

/// Why a dial failed.
public enum DialFailure: String, CaseIterable, Sendable {
    /// Nobody listens there (ECONNREFUSED).
    case refused
    /// No answer in time.
    case timeout
    /// No way there (ENETUNREACH, EHOSTUNREACH).
    case unreachable
    /// Reset while connecting.
    case reset
    /// The name gave no address.
    case dns
    /// No descriptor left (EMFILE, ENFILE).
    case descriptorLimit = "fd_limit"
    /// No local port or address left (EADDRNOTAVAIL).
    case addressUnavailable = "address_unavailable"
    /// The system forbids it (EACCES, EPERM).
    case permission
    /// The upstream is one of our own listeners.
    case loop
    /// The handshake with the upstream failed.
    case tls
    /// The client went away first.
    case canceled
    /// Anything else.
    case other

    /// The streams on which it can occur. connect(2) of a datagram socket asks no peer: it is not refused, reset or late.
    public var occurrence: Occurrence {
        switch self {
        case .refused, .timeout, .reset: .on(.tcp)
        // A datagram socket is there at once: only a look-up can be given up.
        case .canceled: .on(.tcp, or: [.udp, .upstreamName, .rare])
        case .unreachable, .descriptorLimit, .addressUnavailable, .permission, .other: .always
        // Only a name can fail to resolve, or turn out to be one of our listeners.
        case .dns, .loop: .on(.upstreamName)
        case .tls: .on([.tcp, .encryptedUpstream])
        }
    }
}

/// What a timer that fired was for. Faults and limits only: the normal end of a session is none.
public enum TimeoutKind: String, CaseIterable, Sendable {
    /// The dial took too long, name included.
    case dial
    /// No byte in either direction.
    case idle
    /// One direction had ended, and the other moved no byte.
    case halfClose = "half_close"
    /// The PROXY header did not come.
    case proxyHeader = "proxy_header"
    /// The handshake with the client took too long.
    case handshake
    /// The hook took too long.
    case preDial = "pre_dial"
    /// The drain time was over.
    case drain

    /// The streams on which it can occur. UDP sessions end by silence as a rule.
    public var occurrence: Occurrence {
        switch self {
        case .dial: .on(.tcp, or: [.udp, .upstreamName, .rare])
        case .halfClose: .on(.tcp)
        case .idle: .on([.tcp, .idleTimeout])
        case .proxyHeader: .on([.tcp, .proxyHeaders])
        case .handshake: .on([.tcp, .encryptedClient])
        case .preDial: .on(.preDial)
        case .drain: .always
        }
    }
}

/// Why a datagram was not forwarded.
public enum DropReason: String, CaseIterable, Sendable {
    /// Its source was denied.
    case acl
    /// There was no room for its session.
    case sessionLimit = "session_limit"
    /// Its source opens sessions too fast.
    case rateLimit = "rate_limit"
    /// A hook or limit held the direction back.
    case bandwidth
    /// Too many were waiting for their session to be ready.
    case queueFull = "queue_full"
    /// Its session had no upstream to go to.
    case noUpstream = "no_upstream"
    /// The kernel's send buffer was full.
    case sendBuffer = "send_buffer"
    /// It was longer than any UDP payload can be.
    case truncated
    /// The path or the socket does not take its length (EMSGSIZE).
    case tooLarge = "too_large"
    /// Its source is new while the route drains.
    case draining
    /// The kernel dropped it before we could read it (`SO_RXQ_OVFL`).
    case kernelOverflow = "kernel_overflow"
    /// Any other failure.
    case error

    /// The streams, and the directions, in which it can occur. Replies belong to a session that is there.
    public var occurrence: Occurrence {
        switch self {
        case .acl: .on([.udp, .ingress, .accessRules])
        case .rateLimit: .on([.udp, .ingress, .rateLimit])
        case .bandwidth: .on([.udp, .bandwidth])
        case .sessionLimit, .queueFull, .noUpstream, .draining, .kernelOverflow: .on([.udp, .ingress])
        case .sendBuffer, .tooLarge, .error: .on(.udp)
        // The buffer holds the longest that UDP can carry.
        case .truncated: .never
        }
    }
}

/// What a UDP upstream's network said. A UDP dial cannot fail: this is how a dead one shows.
public enum UpstreamErrorReason: String, CaseIterable, Sendable {
    /// ICMP port unreachable (ECONNREFUSED).
    case refused
    /// ICMP host or network unreachable.
    case unreachable
    /// The datagram does not fit the path.
    case tooBig = "too_big"
    /// Anything else.
    case other

    /// The streams on which it can occur.
    public var occurrence: Occurrence { .on(.udp) }
}

/// Why accept(2) failed.
public enum AcceptErrorReason: String, CaseIterable, Sendable {
    /// EMFILE, ENFILE.
    case descriptorLimit = "fd_limit"
    /// ENOMEM, ENOBUFS.
    case memory
    /// The client was gone before it was accepted (ECONNABORTED).
    case aborted
    /// Anything else.
    case other

    /// The streams on which it can occur.
    public var occurrence: Occurrence { .on(.tcp) }
}

/// Why reading was held back.
public enum PauseCause: Sendable {
    /// The other side does not take what was read.
    case backpressure
    /// A hook or limit asked for it.
    case throttle
}
