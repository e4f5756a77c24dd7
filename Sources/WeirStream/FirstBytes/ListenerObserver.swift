import LinuxIO
import NetworkTypes

/// The reason why a ``SharedListener`` reset a client instead of choosing a route.
public enum ListenerFailure: String, CaseIterable, Sendable {
    /// An access rule denied it.
    case acl
    /// Its address has reached its limit of connections.
    case perIPLimit = "per_ip_limit"
    /// Its network exceeds its rate of new connections.
    case rateLimit = "rate_limit"
    /// The PROXY header was missing or wrong.
    case proxyProtocol = "proxy_protocol"
    /// The limit of undecided clients was reached, and its network had most of them.
    case overflow
    /// The listener's drain time ended, or the chosen route does not serve.
    case drained
    /// No route matched its first bytes.
    case noMatch = "no_match"
    /// Its first bytes violated their protocol.
    case malformed
    /// Its first ``FirstBytesTable/maxBytes`` were not enough for a choice.
    case tooLong = "too_long"
    /// It did not send enough bytes in time.
    case timeout
    /// It ended or failed before it had sent enough bytes.
    case closed
    /// Any other failure.
    case error

    init(_ reason: RejectReason) {
        switch reason {
        case .acl: self = .acl
        case .perIPLimit: self = .perIPLimit
        case .rateLimit: self = .rateLimit
        case .proxyProtocol: self = .proxyProtocol
        case .probe: self = .closed
        case .draining: self = .drained
        case .routeLimit, .sessionLimit, .hook, .noUpstream, .upstreamLimit, .loop, .tls, .destination:
            self = .error
        }
    }

    init(_ mismatch: FirstBytesMismatch) {
        switch mismatch {
        case .noMatch: self = .noMatch
        case .malformed: self = .malformed
        case .tooLong: self = .tooLong
        }
    }
}

/// Receives the events of a ``SharedListener``'s clients until a route takes them over. At every moment, the accepted
/// clients are the sum of the decided, the failed and the undecided ones.
///
/// A function runs synchronously on the worker of its argument: it must not block.
public protocol ListenerObserver: Sendable {
    /// A client was accepted.
    func accepted(worker: Int)
    /// A PROXY header was read.
    func proxyHeaderRead(version: ProxyHeader.Version, worker: Int)
    /// A required PROXY header was missing, or a header was refused. ``failed(_:client:serverName:worker:)`` follows.
    func proxyHeaderFailed(reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int)
    /// The client goes to the target's route at this index. The route's observer sees it next. `result` is how its
    /// first bytes chose the route; nil where the listener has one route and inspects none.
    func decided(route: Int, by result: FirstBytesResult?, worker: Int)
    /// The client was reset. `client` is the address that a trusted PROXY header named, where one was read, and
    /// `serverName` the name in its hello, in lower case, where the hello came whole.
    func failed(_ reason: ListenerFailure, client: SocketAddress, serverName: [UInt8]?, worker: Int)
    /// accept(2) failed.
    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int)
    /// The listener stopped accepting until descriptors or connections are free.
    func acceptPaused(worker: Int)
}

extension ListenerObserver {
    /// Does nothing.
    public func accepted(worker: Int) {}
    /// Does nothing.
    public func proxyHeaderRead(version: ProxyHeader.Version, worker: Int) {}
    /// Does nothing.
    public func proxyHeaderFailed(reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int) {}
    /// Does nothing.
    public func decided(route: Int, by result: FirstBytesResult?, worker: Int) {}
    /// Does nothing.
    public func failed(_ reason: ListenerFailure, client: SocketAddress, serverName: [UInt8]?, worker: Int) {}
    /// Does nothing.
    public func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) {}
    /// Does nothing.
    public func acceptPaused(worker: Int) {}
}

/// The answer of ``ListenerHooks/Reserve``.
package enum ListenerReservation {
    /// The client may go on. The object stands for what was taken: it is the reservation of the client's context, and
    /// goes with the client where no route takes it over.
    case taken((any AnyObject & Sendable)?)
    case refused(RejectReason)
}

/// The hooks of a ``SharedListener``, which run before a route is chosen.
public struct ListenerHooks: Sendable {
    /// Decides about a client before its first bytes are inspected. `client` is the address that a trusted PROXY header
    /// named, where one was read. The hooks of the chosen route run afterwards. Synchronous, on the worker: must not
    /// block.
    public typealias Admit = @Sendable (_ client: SocketAddress) -> AdmitDecision

    /// See ``Admit``.
    public var admit: Admit?
    /// Takes a client's share of limits that hold before its route is known. Called behind ``admit``, with the same
    /// address; synchronous, on the worker.
    package typealias Reserve = @Sendable (_ client: SocketAddress) -> ListenerReservation
    /// See ``Reserve``.
    package var reserve: Reserve?
    /// See ``StreamHooks/IsTrustedProxy``: called where the listener's settings read PROXY headers.
    public var isTrustedProxy: StreamHooks.IsTrustedProxy?
    /// Receives the listener's events.
    public var observer: (any ListenerObserver)?

    /// Creates a set of hooks; the default has none.
    public init(
        admit: Admit? = nil, isTrustedProxy: StreamHooks.IsTrustedProxy? = nil,
        observer: (any ListenerObserver)? = nil
    ) {
        self.admit = admit
        self.isTrustedProxy = isTrustedProxy
        self.observer = observer
    }
}
