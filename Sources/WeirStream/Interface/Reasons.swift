// Closed enumerations: each raw value is a metric label and the word in the log.

/// The reason why a connection or session ended before its dial.
public enum RejectReason: String, CaseIterable, Sendable {
    /// An access rule denied the client.
    case acl
    /// The route has reached its limit of connections.
    case routeLimit = "route_limit"
    /// The session table is full, and no session makes room for this client.
    case sessionLimit = "session_limit"
    /// The client's address has reached its limit of connections or sessions.
    case perIPLimit = "per_ip_limit"
    /// The client's network exceeds its rate of new connections or sessions.
    case rateLimit = "rate_limit"
    /// A hook refused, failed or took too long.
    case hook
    /// No upstream could be chosen.
    case noUpstream = "no_upstream"
    /// Every upstream that is up has reached its limit of connections or sessions.
    case upstreamLimit = "upstream_limit"
    /// The PROXY header was missing or wrong.
    case proxyProtocol = "proxy_protocol"
    /// The peer ended the connection, with FIN or RST, before the first byte of the PROXY header or of the handshake
    /// that was due: as health checks do that only connect. No error.
    case probe
    /// The route no longer takes new sessions.
    case draining
    /// The peer is a listening address of this process: its answers would come back as questions.
    case loop
    /// The handshake with the client failed, or took too long.
    case tls
    /// The client's first bytes ask for a destination that it does not get, or for nothing that can be read.
    case destination

    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .acl: .on(.accessRules)
        case .routeLimit: .on(.tcp)
        case .sessionLimit: .on(.udp)
        case .draining: .on(.udp, or: [.tcp, .rare])
        case .loop: .on([.udp, .rare])
        case .perIPLimit: .on(.clientLimit)
        case .rateLimit: .on(.rateLimit)
        case .hook: .on(.preDial)
        // UDP: the upstream's name has no address. Both: a hook chose an index that does not exist, or none is up.
        case .noUpstream: .on(.udp, or: [.tcp, .preDial], [.tcp, .upstreamSet])
        case .upstreamLimit: .on(.upstreamLimit)
        // A datagram with a wrong header opens no session.
        case .proxyProtocol: .on([.tcp, .proxyHeaders])
        case .probe: .on([.tcp, .proxyHeaders], or: [.tcp, .encryptedClient])
        case .tls: .on([.tcp, .encryptedClient])
        case .destination: .on([.tcp, .chosenDestinations])
        }
    }
}

/// The reason why an accepted TCP connection ended. A reset or an error outranks an earlier end of stream.
public enum ConnectionCloseReason: String, CaseIterable, Sendable {
    /// Both sides ended their streams, the client first.
    case clientEOF = "client_eof"
    /// Both sides ended their streams, the upstream first.
    case upstreamEOF = "upstream_eof"
    /// The client reset the connection, or its socket failed.
    case clientReset = "client_reset"
    /// The upstream reset the connection, or its socket failed.
    case upstreamReset = "upstream_reset"
    /// No byte moved in either direction for the idle timeout of the route.
    case idleTimeout = "idle_timeout"
    /// One side had ended, and no byte came from the other for the half-close timeout of the route.
    case halfCloseTimeout = "half_close_timeout"
    /// The client stopped answering the kernel: its keepalive probes, or sent data (ETIMEDOUT).
    case clientTimeout = "client_timeout"
    /// The upstream stopped answering the kernel, as in ``clientTimeout``.
    case upstreamTimeout = "upstream_timeout"
    /// No upstream could be reached.
    case dialFailed = "dial_failed"
    /// Its upstream is out, and the program ended the connections to it (``Route/endConnections(to:)``).
    case upstreamDown = "upstream_down"
    /// A hook closed it.
    case hook
    /// It outlived the drain time of its route or of the process.
    case drained
    /// The process was told to end at once.
    case killed
    /// An operator ended it (``StreamEngine/end(_:)``).
    case admin
    /// Any other failure.
    case error

    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .clientEOF, .upstreamEOF, .clientReset, .upstreamReset, .halfCloseTimeout, .clientTimeout,
            .upstreamTimeout, .dialFailed, .drained, .killed, .error:
            .on(.tcp)
        case .idleTimeout: .on([.tcp, .idleTimeout])
        case .upstreamDown: .on([.tcp, .upstreamSet])
        case .hook: .on([.tcp, .closingHook])
        case .admin: .on([.tcp, .rare])
        }
    }
}

/// The reason why an accepted UDP session ended.
public enum SessionCloseReason: String, CaseIterable, Sendable {
    /// The idle timeout of its tier passed: the normal end.
    case idle
    /// Each of its datagrams has had the number of replies that the route expects.
    case responses
    /// It made room for a newer one, and its client had not spoken again after a reply.
    case evicted
    /// It made room for a newer one although it was assured: its client's network held most of a full table.
    case networkEvicted = "network_evicted"
    /// A local, hard error of its upstream socket.
    case upstreamError = "upstream_error"
    /// It was silent, or had its answer, while its route or the process drained, or it outlived the drain time.
    case drained
    /// Its route was removed or no longer admits its client, or its upstream is gone for good: it ended at once.
    case routeRemoved = "route_removed"
    /// An operator ended it (``StreamEngine/end(_:)``).
    case admin
    /// A hook closed it.
    case hook

    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .idle, .responses, .evicted, .networkEvicted, .upstreamError, .drained, .routeRemoved: .on(.udp)
        case .hook: .on([.udp, .closingHook])
        case .admin: .on([.udp, .rare])
        }
    }
}

/// The reason why a dial failed.
public enum DialFailure: String, CaseIterable, Sendable {
    /// No process listens at the address (ECONNREFUSED), or nothing is at the path of a Unix socket (ENOENT).
    case refused
    /// The upstream did not answer in time.
    case timeout
    /// The network has no route to the address (ENETUNREACH, EHOSTUNREACH).
    case unreachable
    /// The upstream reset the connection during the handshake (ECONNRESET).
    case reset
    /// The upstream's name does not exist, or has no address (NXDOMAIN, or an answer without addresses).
    case dnsNotFound = "dns_not_found"
    /// The name servers did not answer in time.
    case dnsTimeout = "dns_timeout"
    /// The name servers failed or refused (SERVFAIL, REFUSED), or there is none.
    case dnsFailure = "dns_failure"
    /// No descriptor is left (EMFILE, ENFILE).
    case descriptorLimit = "fd_limit"
    /// No local port or address is left (EADDRNOTAVAIL).
    case addressUnavailable = "address_unavailable"
    /// The system forbids the connection (EACCES, EPERM).
    case permission
    /// The upstream is a listening address of this process, be it a stream's or another one's; or another proxy dials
    /// back: ten thousand dials in a row went to where their clients came from, and nothing answered.
    case loop
    /// The handshake with the upstream failed, or it refused one.
    case tls
    /// The agent in front of the upstream could not be reached, or serves no dial.
    case agent
    /// The agent in front of the upstream does not allow the destination.
    case agentDenied = "agent_denied"
    /// The connection or session ended before the dial did.
    case canceled
    /// Anything else.
    case other

    /// The streams on which it can occur. connect(2) of a datagram socket sends nothing, so it is never refused, reset
    /// or late.
    public var occurrence: Occurrence {
        switch self {
        case .refused, .timeout, .reset: .on(.tcp)
        // A datagram socket connects at once: only a lookup can be canceled.
        case .canceled: .on(.tcp, or: [.udp, .upstreamName, .rare])
        case .unreachable, .descriptorLimit, .addressUnavailable, .permission, .loop, .other: .always
        // Only a name can fail to resolve.
        case .dnsNotFound, .dnsTimeout: .on(.upstreamName)
        // An agent does not tell why.
        case .dnsFailure: .on(.upstreamName, or: .agentUpstream)
        case .tls: .on([.tcp, .encryptedUpstream])
        case .agent, .agentDenied: .on(.agentUpstream)
        }
    }

    /// Whether a dial in front of an agent that fails so fails as ``agent``: the way to the agent is the cause, and not
    /// this machine.
    var isOfAgent: Bool {
        switch self {
        case .refused, .timeout, .unreachable, .reset, .dnsNotFound, .dnsTimeout, .dnsFailure, .agent: true
        case .descriptorLimit, .addressUnavailable, .permission, .loop, .tls, .agentDenied, .canceled, .other: false
        }
    }

    /// Whether the upstream's name has no address that may be dialed: no upstream was reached for.
    var isAboutName: Bool {
        switch self {
        case .dnsNotFound, .dnsTimeout, .dnsFailure, .loop: true
        case .refused, .timeout, .unreachable, .reset, .descriptorLimit, .addressUnavailable, .permission, .tls,
            .agent, .agentDenied, .canceled, .other:
            false
        }
    }
}

/// The purpose of a timer that fired. Faults and limits only: the idle end of a UDP session is normal and not counted.
public enum TimeoutKind: String, CaseIterable, Sendable {
    /// The dial, lookup included, took too long.
    case dial
    /// No byte moved in either direction.
    case idle
    /// One direction had ended, and no byte moved in the other.
    case halfClose = "half_close"
    /// The PROXY header was not complete in time.
    case proxyHeader = "proxy_header"
    /// The handshake with the client took too long.
    case handshake
    /// The pre-dial hook took too long.
    case preDial = "pre_dial"
    /// The drain time ended.
    case drain

    /// The streams on which it can occur. A UDP session that is idle ends normally.
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

/// The reason why a datagram was not forwarded.
public enum DropReason: String, CaseIterable, Sendable {
    /// Its source was denied.
    case acl
    /// The session table was full.
    case sessionLimit = "session_limit"
    /// Its source exceeds its rate of new sessions.
    case rateLimit = "rate_limit"
    /// A hook or limit held the direction back.
    case bandwidth
    /// The queue of datagrams that wait for their session to be ready was full.
    case queueFull = "queue_full"
    /// Its session had no upstream.
    case noUpstream = "no_upstream"
    /// The address of this machine that led to the upstream is gone, and no other one leads there.
    case addressUnavailable = "address_unavailable"
    /// The kernel's send buffer was full.
    case sendBuffer = "send_buffer"
    /// It was longer than the receive buffer.
    case truncated
    /// It is too long for the path or the socket (EMSGSIZE).
    case tooLarge = "too_large"
    /// It is one reply more than the route expects (``UDPSettings/responses``).
    case responses
    /// Its client has not spoken again, and may not get as much (``UDPSettings/amplification``).
    case amplification
    /// Its source has no session, and the route drains.
    case draining
    /// Its source is a listening address of this process.
    case loop
    /// It came without a session from a peer whose one PROXY header was read before: its client is not known.
    case staleSession = "stale_session"
    /// The kernel dropped it because the receive buffer was full (socket(7)): that of the listener, or, in egress, that
    /// of the session's own socket.
    case kernelOverflow = "kernel_overflow"
    /// Any other failure.
    case error

    /// The streams and directions in which it can occur. A reply always belongs to an existing session.
    public var occurrence: Occurrence {
        switch self {
        case .acl: .on([.udp, .ingress, .accessRules])
        case .rateLimit: .on([.udp, .ingress, .rateLimit])
        case .bandwidth: .on([.udp, .bandwidth])
        case .sessionLimit, .queueFull, .noUpstream, .draining: .on([.udp, .ingress])
        case .addressUnavailable, .loop: .on([.udp, .ingress, .rare])
        case .sendBuffer, .tooLarge, .kernelOverflow, .error: .on(.udp)
        case .responses: .on([.udp, .egress, .countedReplies])
        case .amplification: .on([.udp, .egress, .amplificationLimit])
        case .staleSession: .on([.udp, .ingress, .proxyHeaders])
        // The buffer holds the longest UDP payload.
        case .truncated: .never
        }
    }
}

/// The reason why a UDP session was connected anew, in place: to another address or upstream, or from another address
/// of this machine.
public enum SessionMoveReason: String, CaseIterable, Sendable {
    /// The network reported errors, and the upstream had not answered.
    case upstreamError = "upstream_error"
    /// The upstream's name no longer has the address.
    case addressChanged = "address_changed"
    /// The address of this machine with which the session was connected is gone, or no longer reaches the upstream.
    case ownAddressChanged = "own_address_changed"
    /// The first address of the upstream's name left questions unanswered, and another one answered.
    case unanswered
    /// The route's policy no longer keeps the upstream, which a check or failures took out.
    case upstreamDown = "upstream_down"

    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .upstreamError, .ownAddressChanged: .on(.udp)
        case .addressChanged, .unanswered: .on([.udp, .upstreamName])
        case .upstreamDown: .on([.udp, .upstreamSet])
        }
    }
}

/// An error that the network reported for a UDP upstream. A UDP dial sends nothing, so an unreachable upstream shows
/// here.
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

/// The reason why accept(2) failed.
public enum AcceptErrorReason: String, CaseIterable, Sendable {
    /// No descriptor is left (EMFILE, ENFILE).
    case descriptorLimit = "fd_limit"
    /// No memory is left (ENOMEM, ENOBUFS).
    case memory
    /// The client ended the connection before the accept (ECONNABORTED).
    case aborted
    /// Anything else.
    case other

    /// The streams on which it can occur.
    public var occurrence: Occurrence { .on(.tcp) }
}

/// The reason why reading was paused.
public enum PauseCause: Sendable {
    /// The other side does not accept the bytes that were read.
    case backpressure
    /// A hook or a limit paused it.
    case throttle
}
