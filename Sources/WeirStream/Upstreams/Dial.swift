import Glibc
import LinuxIO
import NetworkTypes

/// The attempts to reach one upstream of one connection: its addresses in order, a new attempt when one fails or takes
/// long (RFC 8305), the first that succeeds wins. Owns the sockets of the attempts.
final class Dial {
    private struct Attempt {
        let number: CInt
        let family: Socket.Family
        let tag: Int
        let address: SocketAddress
    }

    let upstream: Int
    let startedAt: UInt64
    /// Whether the upstream's name has no answer yet.
    var isWaitingForName = false
    /// The last failure, for the reason and the log.
    private(set) var lastError: SystemError?
    /// What the last attempt was told to expect (see ``Manners``).
    private(set) var expectsSingleAnswer = false
    private var candidates: ArraySlice<SocketAddress> = []
    private var attempts: [Attempt] = []
    private var nextTag = 1

    /// Descriptor tags of an ``EventToken`` that an attempt can have.
    private static let mostAttempts = 7

    init(upstream: Int, startedAt: UInt64) {
        self.upstream = upstream
        self.startedAt = startedAt
    }

    deinit {
        for attempt in attempts { FileDescriptor(adopting: attempt.number).close() }
    }

    func setCandidates(_ addresses: [SocketAddress]) {
        isWaitingForName = false
        candidates = addresses[...]
    }

    /// Whether nothing is under way and nothing is left to try.
    var isExhausted: Bool { attempts.isEmpty && (candidates.isEmpty || nextTag > Self.mostAttempts) }
    /// Whether another address is left to try.
    var hasMore: Bool { !candidates.isEmpty && nextTag <= Self.mostAttempts }

    enum Step: ~Copyable {
        /// An attempt is under way.
        case started
        /// Connected at once.
        case connected(Socket, SocketAddress, tag: Int)
        /// This address failed; perhaps there are others.
        case failed
    }

    /// Tries the next address. Where a single answer is expected, the ACK that ends the handshake waits for data.
    func startNext(settings: TCPSettings, expectsSingleAnswer: Bool, loop: EventLoop, token: EventToken) -> Step {
        guard hasMore, let address = candidates.popFirst() else { return .failed }
        let tag = nextTag
        nextTag += 1
        do throws(SystemError) {
            let socket = try Socket(.stream, family: Socket.family(of: address))
            self.expectsSingleAnswer = expectsSingleAnswer
            if expectsSingleAnswer { socket.setIfPossible(.deferAccept, 1) }
            socket.setUserTimeout(settings)
            let result = socket.connect(to: address)
            if case .failed(let error) = result { throw error }
            try loop.add(socket.number, .relay, token: token.with(tag: tag))
            if case .connected = result { return .connected(socket, address, tag: tag) }
            let family = socket.family
            attempts.append(Attempt(number: socket.release(), family: family, tag: tag, address: address))
            return .started
        } catch {
            lastError = error
            return .failed
        }
    }

    /// What an event says of an attempt.
    func finish(tag: Int, events: EventSet) -> Step {
        guard let index = attempts.firstIndex(where: { $0.tag == tag }) else { return .started }
        let attempt = attempts[index]
        let failed = events.contains(.error) || events.contains(.hangup)
        guard failed || events.contains(.writable) else { return .started }
        attempts.remove(at: index)
        let socket = Socket(adopting: attempt.number, family: attempt.family)
        // A connection that was made and broken at once counts as made where anything came of it: the reads tell the rest.
        if failed, case .failed(let error) = socket.peek() {
            lastError = error
            return .failed
        }
        return .connected(socket, attempt.address, tag: tag)
    }
}

extension DialFailure {
    /// The reason behind a failed socket or connect call; a dial without any address failed for its name.
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
