import LinuxIO

/// A reference to one member of a route's set of upstreams. Unlike an index it never refers to another member: the
/// handle of a member that has left the set finds none.
public struct UpstreamHandle: Hashable, Sendable {
    /// The index of the member in its set, from 0.
    public let slot: UInt32
    /// The version of the set, or of the slot, that the handle belongs to.
    public let generation: UInt32

    /// Creates a handle from its parts.
    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// A member of a route's set, as a selector sees it.
public struct UpstreamMember: Hashable, Sendable {
    /// The handle that a choice returns.
    public let handle: UpstreamHandle
    /// The host and port to dial.
    public let upstream: Upstream

    /// Creates a member from its parts.
    public init(handle: UpstreamHandle, upstream: Upstream) {
        self.handle = handle
        self.upstream = upstream
    }
}

/// The members that one client's dial has failed to reach. It allocates nothing before the first failure.
public struct TriedUpstreams: Sendable {
    private var handles: [UpstreamHandle] = []

    /// Creates an empty set.
    public init() {}

    /// The number of members.
    public var count: Int { handles.count }
    /// Whether no member was tried.
    public var isEmpty: Bool { handles.isEmpty }

    /// Whether a member was tried.
    public func contains(_ member: UpstreamHandle) -> Bool { handles.contains(member) }

    /// Adds a member; a second call has no effect.
    public mutating func insert(_ member: UpstreamHandle) {
        if !handles.contains(member) { handles.append(member) }
    }
}

/// Chooses among the members of a route's set of upstreams, and learns the result of each choice.
///
/// Each worker of a route has its own, created by ``StreamHooks/makeSelector``. Every call is synchronous and on that
/// worker: it must neither block nor wait. The calls for each choice come in this order, those in brackets only where
/// they apply:
///
/// ``chosen(_:)`` · ``dialEnded(_:failure:now:)`` · [``answered(_:now:)`` or ``brokeUnanswered(_:isAsked:now:)``] ·
/// [``answeredAgain(_:now:)`` and ``leftUnanswered(_:now:)`` after the first answer of a UDP session] ·
/// ``released(_:)``
///
/// A selector that counts adds in `chosen` and subtracts in `released`: each is called exactly once for a choice. `now`
/// is the time of the worker's turn, in nanoseconds of its monotonic clock.
public protocol UpstreamSelector: AnyObject {
    /// Returns the member to dial for a client, or nil where there is none: all were `tried`, or may not be used
    /// (``rejectReason``). A member that is not in the set, or was tried, counts as nil. The result is a proposal: it
    /// becomes a choice when ``chosen(_:)`` follows. One that does not is withdrawn by the next call of `next` or
    /// `accepts`, for whichever client.
    func next(for client: SocketAddress, tried: TriedUpstreams, now: UInt64) -> UpstreamHandle?
    /// The reason why the last call of ``next(for:tried:now:)`` returned nil, for a client that no member was dialed
    /// for. ``RejectReason/noUpstream`` unless implemented.
    var rejectReason: RejectReason { get }
    /// Whether the member that the hook `preDial` chose may be dialed: a proposal, as one of `next` is. Where it may
    /// not, `next` is asked. True unless implemented.
    func accepts(_ member: UpstreamHandle, now: UInt64) -> Bool
    /// Whether a UDP session stays with its member. Asked before each batch of the client's datagrams: where it does
    /// not, the session moves to the choice of ``next(for:tried:now:)``, if there is one. True unless implemented.
    func keeps(_ member: UpstreamHandle, now: UInt64) -> Bool
    /// The dial of a member begins: ``next(for:tried:now:)`` or the hook `preDial` chose it.
    func chosen(_ member: UpstreamHandle)
    /// The dial succeeded (nil) or failed. For UDP a success means only that the kernel has a route to the address.
    func dialEnded(_ member: UpstreamHandle, failure: DialFailure?, now: UInt64)
    /// The upstream sent its first byte or datagram.
    func answered(_ member: UpstreamHandle, now: UInt64)
    /// The upstream failed before its first byte of egress: a reset or another error, for UDP an ICMP error. `isAsked`
    /// tells whether the client had sent anything.
    func brokeUnanswered(_ member: UpstreamHandle, isAsked: Bool, now: UInt64)
    /// The upstream has answered a later question of a session that it had answered before (UDP): at most four calls a
    /// second for a session. It does nothing unless implemented.
    func answeredAgain(_ member: UpstreamHandle, now: UInt64)
    /// A question of a session that the upstream had answered before has had no answer for a second, and the client
    /// has sent again (UDP): once until the next answer. It does nothing unless implemented.
    func leftUnanswered(_ member: UpstreamHandle, now: UInt64)
    /// The connection or session no longer uses the member.
    func released(_ member: UpstreamHandle)
}

extension UpstreamSelector {
    /// ``RejectReason/noUpstream``.
    public var rejectReason: RejectReason { .noUpstream }
    /// True.
    public func keeps(_ member: UpstreamHandle, now: UInt64) -> Bool { true }
    /// True.
    public func accepts(_ member: UpstreamHandle, now: UInt64) -> Bool { true }
    /// Does nothing.
    public func answeredAgain(_ member: UpstreamHandle, now: UInt64) {}
    /// Does nothing.
    public func leftUnanswered(_ member: UpstreamHandle, now: UInt64) {}
}
