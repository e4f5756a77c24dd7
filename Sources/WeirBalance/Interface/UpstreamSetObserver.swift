/// A change of a member's state.
public struct MemberStateChange: Hashable, Sendable {
    /// The name of the member (``BalancedMember/name``).
    public let member: String
    /// The state before.
    public let from: MemberState
    /// The state now.
    public let to: MemberState
    /// The cause of the change.
    public let cause: StateChangeCause
    /// The time of the change, in nanoseconds of the clock of the calls: for the end of an ejection the time when it
    /// was over, which may be earlier than the call that noticed it.
    public let time: UInt64
    /// The time of the ejection, where the change is one.
    public let ejectionTime: Duration?

    /// The reason of the ejection; nil where the change is none.
    public var ejectionReason: EjectionReason? { to == .ejected ? EjectionReason(cause) : nil }
}

/// The receiver of what happens to a set of upstreams.
///
/// Every call is synchronous. It must neither block nor call the set: most are made under the set's lock, on the thread
/// that reported the cause, which may be a worker.
public protocol UpstreamSetObserver: Sendable {
    /// The state of a member has changed. Called once for each change, in the order of the changes.
    func stateChanged(_ change: MemberStateChange)
    /// A choice was another one than the policy prefers. Called on the worker, without a lock.
    func fellBack(_ reason: FallbackReason, worker: Int)
    /// A member is suspected: it reset a connection whose client had sent something, so that the client may be the
    /// cause. It takes no clients until the owner has connected to it, and reports with
    /// ``UpstreamSet/probeEnded(_:stayedOpen:now:)`` whether the connection stayed open for 100 ms.
    ///
    /// - Returns: whether the owner will probe it; a member without a probe is not suspected.
    func probeRequested(_ member: String) -> Bool
}

extension UpstreamSetObserver {
    /// Does nothing.
    public func stateChanged(_ change: MemberStateChange) {}
    /// Does nothing.
    public func fellBack(_ reason: FallbackReason, worker: Int) {}
    /// Requests no probe.
    public func probeRequested(_ member: String) -> Bool { false }
}

/// The state of a member at one time.
public struct MemberStatus: Hashable, Sendable {
    /// The member as configured.
    public let member: BalancedMember
    /// The state.
    public let state: MemberState
    /// The cause of the last change of state; nil where there was none.
    public let cause: StateChangeCause?
    /// The time of the last change of state in nanoseconds, or of the start of the member.
    public let changedAt: UInt64
    /// The weight at that time: less than the configured one during a slow start, 0 while it drains.
    public let weight: Double
    /// The connections or sessions that use it, those of older configurations included.
    public let activeCount: Int
    /// Whether it takes no clients until a probe has connected to it. Its state is still ``MemberState/up``.
    public let isSuspect: Bool
}
