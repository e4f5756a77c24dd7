import LinuxIO
import NetworkTypes

/// Why a client of a ``SharedListener`` came to no route. It was reset.
public enum ListenerFailure: String, CaseIterable, Sendable {
    /// An access rule denied it.
    case acl
    /// Its address has as many as it may have.
    case perIPLimit = "per_ip_limit"
    /// Its network opens them too fast.
    case rateLimit = "rate_limit"
    /// The PROXY header was missing or wrong.
    case proxyProtocol = "proxy_protocol"
    /// Too many clients had not chosen yet, and its network had the most of them.
    case overflow
    /// The listener's drain time was over, or the route that it chose does not serve.
    case drained
    /// No route wanted its first bytes.
    case noMatch = "no_match"
    /// Its first bytes broke their protocol.
    case malformed
    /// Its first ``FirstBytesTable/maxBytes`` were not enough to choose by.
    case tooLong = "too_long"
    /// It did not send enough in time.
    case timeout
    /// It ended or broke before it had sent enough.
    case closed
    /// Any other failure.
    case error

    init(_ reason: RejectReason) {
        switch reason {
        case .acl: self = .acl
        case .perIPLimit: self = .perIPLimit
        case .rateLimit: self = .rateLimit
        case .proxyProtocol: self = .proxyProtocol
        case .draining: self = .drained
        case .routeLimit, .sessionLimit, .hook, .noUpstream, .tls: self = .error
        }
    }

    init(_ mismatch: FirstBytesMismatch) {
        switch mismatch {
        case .noMatch: self = .noMatch
        case .malformed: self = .malformed
        }
    }
}

/// Sees the clients of a ``SharedListener`` until a route has them. At every moment as many were accepted as were decided,
/// failed and are undecided.
///
/// A function runs synchronously on the worker whose index it is given: it must not block.
public protocol ListenerObserver: Sendable {
    /// A client was accepted.
    func accepted(worker: Int)
    /// A PROXY header was read.
    func proxyHeaderRead(version: ProxyHeader.Version, worker: Int)
    /// A PROXY header was refused, or there was none where one must be. ``failed(_:client:worker:)`` follows.
    func proxyHeaderFailed(reason: ProxyHeaderError, worker: Int)
    /// The client goes to the target's route of this index, whose observer is told of it next.
    func decided(route: Int, worker: Int)
    /// The client came to no route. `client` is the one that a trusted PROXY header named, where there was one.
    func failed(_ reason: ListenerFailure, client: SocketAddress, worker: Int)
    /// accept(2) failed.
    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int)
    /// The listener stopped accepting until descriptors or connections are free again.
    func acceptPaused(worker: Int)
}

extension ListenerObserver {
    /// Does nothing.
    public func accepted(worker: Int) {}
    /// Does nothing.
    public func proxyHeaderRead(version: ProxyHeader.Version, worker: Int) {}
    /// Does nothing.
    public func proxyHeaderFailed(reason: ProxyHeaderError, worker: Int) {}
    /// Does nothing.
    public func decided(route: Int, worker: Int) {}
    /// Does nothing.
    public func failed(_ reason: ListenerFailure, client: SocketAddress, worker: Int) {}
    /// Does nothing.
    public func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) {}
    /// Does nothing.
    public func acceptPaused(worker: Int) {}
}

/// The hooks of a ``SharedListener``, for what must be known or decided before a route is chosen.
public struct ListenerHooks: Sendable {
    /// Decides over a client before its first bytes are looked at: the one that a trusted PROXY header names, where there is
    /// one. The hooks of its route are asked after the choice. Synchronous, on the worker: never blocks.
    public typealias Admit = @Sendable (_ client: SocketAddress) -> AdmitDecision

    /// See ``Admit``.
    public var admit: Admit?
    /// See ``StreamHooks/IsTrustedProxy``: asked where the listener's settings read PROXY headers.
    public var isTrustedProxy: StreamHooks.IsTrustedProxy?
    /// Sees what happens; decides nothing.
    public var observer: (any ListenerObserver)?

    /// No hooks, or these.
    public init(
        admit: Admit? = nil, isTrustedProxy: StreamHooks.IsTrustedProxy? = nil,
        observer: (any ListenerObserver)? = nil
    ) {
        self.admit = admit
        self.isTrustedProxy = isTrustedProxy
        self.observer = observer
    }
}
