import Glibc
import LinuxIO

/// The difference between dialing over TCP and over UDP: how an attempt at one address begins, and how its end is told.
protocol UpstreamDialer {
    associatedtype Settings: DialSettings

    /// Begins an attempt. A socket that is returned is registered with `loop` under `token`.
    mutating func start(
        _ address: SocketAddress, of upstream: UpstreamState, settings: Settings, loop: EventLoop, token: EventToken
    ) -> AttemptStart

    /// Judges an attempt that is under way by an event of its socket.
    func judge(_ socket: borrowing Socket, _ events: EventSet) -> AttemptJudgement
}

/// The times of a dial. The pre-dial hook has its own; ``dialTimeout`` begins behind it.
protocol DialSettings: Sendable {
    var preDialTimeout: Duration { get }
    var dialTimeout: Duration { get }
    var attemptTimeout: Duration? { get }
}

extension TCPSettings: DialSettings {}
extension UDPSettings: DialSettings {}

/// The outcome of beginning an attempt.
enum AttemptStart: ~Copyable {
    case connected(Socket)
    /// An event will tell.
    case inProgress(Socket)
    /// This address failed; perhaps there are others.
    case failed(SystemError)
}

/// The meaning of an event for an attempt.
enum AttemptJudgement {
    case inProgress
    case connected
    case failed(SystemError)
}

/// Dials TCP upstreams: connect(2) goes on in the kernel, and an event tells its end.
struct TCPDialer: UpstreamDialer {
    /// Whether the last attempt lets the ACK that ends its handshake wait for data (see ``AckHeuristic``).
    private(set) var expectsSingleResponse = false

    mutating func start(
        _ address: SocketAddress, of upstream: UpstreamState, settings: TCPSettings, loop: EventLoop, token: EventToken
    ) -> AttemptStart {
        do throws(SystemError) {
            let socket = try Socket(.stream, family: Socket.family(of: address))
            expectsSingleResponse = upstream.ackHeuristic.expectsSingleResponse
            if expectsSingleResponse { socket.setIfPossible(.deferAccept, 1) }
            socket.setUserTimeout(settings)
            let result = socket.connect(to: address)
            if case .failed(let error) = result { throw error }
            try loop.add(socket.number, .relay, token: token)
            if case .connected = result { return .connected(socket) }
            return .inProgress(socket)
        } catch {
            return .failed(error)
        }
    }

    func judge(_ socket: borrowing Socket, _ events: EventSet) -> AttemptJudgement {
        let hasFailed = events.contains(.error) || events.contains(.hangup)
        guard hasFailed || events.contains(.writable) else { return .inProgress }
        // A connection that was made and broken at once counts as made where anything came of it: the reads tell the rest.
        if hasFailed, case .failed(let error) = socket.peek() { return .failed(error) }
        return .connected
    }
}

/// Dials UDP upstreams: connect(2) only notes the address. A port without a listener shows by ICMP, once something was
/// sent.
struct UDPDialer: UpstreamDialer {
    mutating func start(
        _ address: SocketAddress, of upstream: UpstreamState, settings: UDPSettings, loop: EventLoop, token: EventToken
    ) -> AttemptStart {
        do throws(SystemError) {
            return .connected(try Self.connect(to: address, loop: loop, token: token))
        } catch {
            return .failed(error)
        }
    }

    func judge(_ socket: borrowing Socket, _ events: EventSet) -> AttemptJudgement { .connected }

    /// A registered socket that is connected to an address.
    static func connect(to address: SocketAddress, loop: EventLoop, token: EventToken) throws(SystemError) -> Socket {
        let socket = try Socket(.datagram, family: Socket.family(of: address))
        // Room for a few of the largest; the kernel clamps to wmem_max.
        socket.setIfPossible(.sendBuffer, 1 << 20)
        socket.setIfPossible(.receiveBuffer, 1 << 20)
        // Without it a host that is off, or a network without a way, is never heard of.
        socket.setIfPossible(socket.family == .ipv6 ? .receiveErrorsIPv6 : .receiveErrorsIPv4, 1)
        if case .failed(let error) = socket.connect(to: address) { throw error }
        // Not for writing: a datagram socket becomes writable again after every single send.
        try loop.add(socket.number, [.readable, .edgeTriggered], token: token)
        return socket
    }
}

extension DialFailure {
    /// The reason behind a failed socket or connect call.
    init(_ error: SystemError?) {
        switch error?.code {
        case ECONNREFUSED: self = .refused
        case ETIMEDOUT: self = .timeout
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, EAFNOSUPPORT: self = .unreachable
        case ECONNRESET: self = .reset
        case EMFILE, ENFILE: self = .descriptorLimit
        // EAGAIN: what connect(2) says of a datagram socket where no port is free.
        case EADDRNOTAVAIL, EAGAIN: self = .addressUnavailable
        case EACCES, EPERM: self = .permission
        default: self = .other
        }
    }
}
