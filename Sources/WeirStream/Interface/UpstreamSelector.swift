import LinuxIO

/// Names one member of a route's set of upstreams. Unlike an index it never names another member than the one that it
/// was made for: a handle of a member that has left the set finds none.
public struct UpstreamHandle: Hashable, Sendable {
    /// Where the member stands in its set, counted from 0.
    public let slot: UInt32
    /// The set, or the life of the slot, that the handle belongs to.
    public let generation: UInt32

    /// A handle from its parts.
    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// A member of a route's set, as a selector is told of it.
public struct UpstreamMember: Hashable, Sendable {
    /// The name that a choice gives back.
    public let handle: UpstreamHandle
    /// Where it leads.
    public let upstream: Upstream

    /// A member from its parts.
    public init(handle: UpstreamHandle, upstream: Upstream) {
        self.handle = handle
        self.upstream = upstream
    }
}

/// The members that one client's dial has failed to reach. A client whose first choice is reached costs no memory here.
public struct TriedUpstreams: Sendable {
    private var handles: [UpstreamHandle] = []

    /// None.
    public init() {}

    /// How many were tried.
    public var count: Int { handles.count }
    /// Whether none was.
    public var isEmpty: Bool { handles.isEmpty }

    /// Whether a member was tried.
    public func contains(_ member: UpstreamHandle) -> Bool { handles.contains(member) }

    /// Notes a member, once.
    public mutating func insert(_ member: UpstreamHandle) {
        if !handles.contains(member) { handles.append(member) }
    }
}

/// Chooses among the members of a route's set of upstreams, and is told how each choice went.
///
/// There is one for each worker and route, made by ``StreamHooks/makeSelector``. Every call is synchronous and on that
/// worker: it must neither block nor wait. For each choice the calls come in this order, and those in brackets only
/// where it came so far:
///
/// ``chosen(_:)`` · ``dialEnded(_:failure:)`` · [``answered(_:)`` or ``brokeUnanswered(_:isAsked:)``] · ``released(_:)``
///
/// A selector that counts therefore counts up in `chosen` and down in `released`, each of which comes exactly once.
public protocol UpstreamSelector: AnyObject {
    /// The member to dial for a client, or nil where there is none besides those that were `tried`. A member that is not
    /// in the set, or was tried, counts as nil. The answer is a proposal: it binds once ``chosen(_:)`` follows.
    func next(for client: SocketAddress, tried: TriedUpstreams) -> UpstreamHandle?
    /// A member is dialed now, because ``next(for:tried:)`` or the hook `preDial` chose it.
    func chosen(_ member: UpstreamHandle)
    /// The dial was successful (nil), or failed. UDP: a success says only that there is a way there.
    func dialEnded(_ member: UpstreamHandle, failure: DialFailure?)
    /// The first byte, or datagram, of egress came.
    func answered(_ member: UpstreamHandle)
    /// The upstream broke before its first byte of egress: a reset or another error, for UDP an ICMP error. `isAsked` says
    /// whether the client had sent anything.
    func brokeUnanswered(_ member: UpstreamHandle, isAsked: Bool)
    /// The connection or session uses the member no longer.
    func released(_ member: UpstreamHandle)
}
