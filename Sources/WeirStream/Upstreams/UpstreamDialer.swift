import Glibc
import LinuxIO
import NetworkTypes

/// The part of a dial in which TCP and UDP differ: how an attempt at one address begins, and how it ends.
protocol UpstreamDialer {
    associatedtype Settings: DialSettings

    /// Begins an attempt. The socket of the result is registered with `loop` under `token`.
    mutating func start(
        _ address: SocketAddress, of upstream: UpstreamState, settings: Settings, loop: EventLoop, token: EventToken
    ) -> AttemptStart

    /// Judges an attempt in progress by an event of its socket.
    func judge(_ socket: borrowing Socket, _ events: EventSet) -> AttemptJudgement

    /// Whether a handshake with an agent is set aside for the dial.
    var hasReservation: Bool { get }

    /// The dial has failed: releases what was set aside for it.
    mutating func dialFailed()
}

extension UpstreamDialer {
    var hasReservation: Bool { false }

    mutating func dialFailed() {}
}

/// The timeouts of a dial, and what its sockets are given. ``dialTimeout`` begins after the pre-dial hook, which has
/// its own timeout.
protocol DialSettings: Sendable {
    var preDialTimeout: Duration { get }
    var dialTimeout: Duration { get }
    var attemptTimeout: Duration? { get }
    /// The addresses that dials come from; nil leaves them to the kernel.
    var dialFrom: DialSource? { get }
    /// Whether ``dialFrom`` may have addresses that this machine does not have.
    var isFreeBind: Bool { get }
    /// The mark of the packets.
    var dscp: DSCP? { get }
}

extension DialSettings {
    /// The addresses, in order, that have a source.
    func reachable(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let dialFrom, !addresses.allSatisfy({ $0.isUnix || dialFrom.reaches($0.ip) }) else { return addresses }
        return addresses.filter { $0.isUnix || dialFrom.reaches($0.ip) }
    }
}

extension Socket {
    /// Gives a socket the source and the mark of dials, before connect(2).
    borrowing func prepareDial(_ settings: some DialSettings) throws(SystemError) {
        if let dscp = settings.dscp { mark(dscp) }
        if let source = settings.dialFrom { try bindSource(source, isFreeBind: settings.isFreeBind) }
    }
}

extension TCPSettings: DialSettings {}
extension UDPSettings: DialSettings {}

/// The outcome of the start of an attempt.
enum AttemptStart: ~Copyable {
    case connected(Socket)
    /// An event of the socket reports the end of the attempt.
    case inProgress(Socket)
    /// The upstream takes no connection now, and no event tells when it does.
    case busy
    /// The attempt at this address failed.
    case failed(SystemError)
}

/// The meaning of an event for an attempt.
enum AttemptJudgement {
    case inProgress
    case connected
    case failed(SystemError)
}

/// Dials TCP upstreams: connect(2) is asynchronous, and an event reports its end.
struct TCPDialer: UpstreamDialer {
    /// Whether the last attempt delays the final ACK of its handshake until there is data (see ``AckHeuristic``).
    private(set) var expectsSingleResponse = false
    /// The exchange that each upstream must see first.
    let preface: UpstreamPreface?
    /// The exchange with the connected upstream, until it is over.
    private var exchange: PrefaceExchange?
    /// The handshake that is set aside for the dial of an agent.
    private var reservation: (any TunnelReservation)?

    init(preface: UpstreamPreface?) {
        self.preface = preface
    }

    /// Begins the exchange with another upstream.
    mutating func beginPreface() { exchange = preface.map(PrefaceExchange.init) }

    /// Performs what is left of the exchange; done where there is none.
    mutating func stepPreface(on upstream: inout RelayEndpoint) -> HandshakeStep {
        guard var current = exchange else { return .done }
        let step = upstream.withSocket { current.step(on: $0) } ?? .failed
        exchange = step == .done ? nil : current
        // The event of the answer may have been that of bytes behind it, too.
        if step == .done { upstream.isReadable = true }
        return step
    }

    mutating func start(
        _ address: SocketAddress, of upstream: UpstreamState, settings: TCPSettings, loop: EventLoop, token: EventToken
    ) -> AttemptStart {
        if !upstream.isDirect {
            if address.isUnix, let path = upstream.upstream.host.unixPath {
                return Self.connect(to: path, loop: loop, token: token)
            }
            if upstream.upstream.behindAgent != nil, let refusal = reserve(upstream.tunnel) { return refusal }
        }
        do throws(SystemError) {
            let socket = try Socket(.stream, family: Socket.family(of: address))
            expectsSingleResponse = upstream.ackHeuristic.expectsSingleResponse
            if expectsSingleResponse { socket.setIfPossible(.deferAccept, 1) }
            socket.setDialOptions(settings)
            try socket.prepareDial(settings)
            let result = socket.connect(to: address)
            if case .failed(let error) = result { throw error }
            try loop.add(socket.number, .relay, token: token)
            if case .connected = result { return .connected(socket) }
            return .inProgress(socket)
        } catch {
            return .failed(error)
        }
    }

    /// Sets aside a handshake with an agent, once for all attempts of a dial. Returns the outcome where that fails.
    private mutating func reserve(_ tunnel: (any UpstreamTunnel)?) -> AttemptStart? {
        if reservation != nil { return nil }
        guard let tunnel else { return .failed(SystemError(.connect, EPROTONOSUPPORT)) }
        reservation = tunnel.reserve()
        return reservation == nil ? .busy : nil
    }

    /// Returns the reservation for an agent that is connected; nil for an upstream without one.
    mutating func takeReservation() -> (any TunnelReservation)? { reservation.take() }

    var hasReservation: Bool { reservation != nil }

    mutating func dialFailed() { reservation = nil }

    /// Connects to a Unix socket: at once, or not (unix(7)). None of TCP's options belongs to it.
    private static func connect(to path: UnixSocketPath, loop: EventLoop, token: EventToken) -> AttemptStart {
        do throws(SystemError) {
            let socket = try Socket(.stream, family: .unix)
            if case .failed(let error) = socket.connect(to: path) {
                if error.code == EAGAIN { return .busy }
                throw error
            }
            try loop.add(socket.number, .relay, token: token)
            return .connected(socket)
        } catch {
            return .failed(error)
        }
    }

    func judge(_ socket: borrowing Socket, _ events: EventSet) -> AttemptJudgement {
        let hasFailed = events.contains(.error) || events.contains(.hangup)
        guard hasFailed || events.contains(.writable) else { return .inProgress }
        // Data may precede an error: report success then, and let the reads find the error.
        // The error is that of connect(2), though another call reports it.
        if hasFailed, case .failed(let error) = socket.peek() { return .failed(SystemError(.connect, error.code)) }
        return .connected
    }
}

/// Dials UDP upstreams: connect(2) only sets the peer's address. A closed port is reported by ICMP, after a datagram
/// was sent.
struct UDPDialer: UpstreamDialer {
    /// The worker, which makes room where the kernel has no local port left.
    let core: WorkerCore

    /// The most sessions that are ended for one dial.
    private static let maxEvictions = 8

    mutating func start(
        _ address: SocketAddress, of upstream: UpstreamState, settings: UDPSettings, loop: EventLoop, token: EventToken
    ) -> AttemptStart {
        var evictions = 0
        while true {
            do throws(SystemError) {
                return .connected(try Self.connect(to: address, settings, loop: loop, token: token))
            } catch {
                // EAGAIN: no local port is left. Another worker may take the one that an eviction frees.
                guard error.code == EAGAIN, evictions < Self.maxEvictions, core.freeLocalPort(for: token) else {
                    return .failed(error)
                }
                evictions += 1
            }
        }
    }

    func judge(_ socket: borrowing Socket, _ events: EventSet) -> AttemptJudgement { .connected }

    /// Returns a socket that is connected to an address and registered with `loop`. The caller owns it.
    static func connect(
        to address: SocketAddress, _ settings: UDPSettings, loop: EventLoop, token: EventToken
    ) throws(SystemError) -> Socket {
        let socket = try Socket(.datagram, family: Socket.family(of: address))
        // Room for a few datagrams of the maximum length; the kernel clamps to wmem_max.
        socket.setIfPossible(.sendBuffer, 1 << 20)
        socket.setIfPossible(.receiveBuffer, 1 << 20)
        // Without this option the kernel does not report an unreachable host or network (ip(7)).
        socket.setIfPossible(socket.family == .ipv6 ? .receiveErrorsIPv6 : .receiveErrorsIPv4, 1)
        try socket.prepareDial(settings)
        if case .failed(let error) = socket.connect(to: address) { throw error }
        // Not for writing: a datagram socket becomes writable again after every send.
        try loop.add(socket.number, [.readable, .edgeTriggered], token: token)
        return socket
    }
}

extension DialFailure {
    /// The reason for a name without addresses.
    package init(_ failure: AddressLookup.Failure) {
        switch failure {
        case .notFound: self = .dnsNotFound
        case .timedOut: self = .dnsTimeout
        case .unavailable: self = .dnsFailure
        }
    }

    /// The reason for the errno of a failed socket(2) or connect(2).
    package init(_ error: SystemError?) {
        switch error?.code {
        // ENOENT: nothing is at the path of a Unix socket, as where its server does not run.
        case ECONNREFUSED, ENOENT: self = .refused
        case ETIMEDOUT: self = .timeout
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, EAFNOSUPPORT: self = .unreachable
        case ECONNRESET: self = .reset
        case EMFILE, ENFILE: self = .descriptorLimit
        // EAGAIN: connect(2) of a datagram socket without a free port.
        case EADDRNOTAVAIL, EAGAIN: self = .addressUnavailable
        case EACCES, EPERM: self = .permission
        default: self = .other
        }
    }
}
