import LinuxIO

/// The receiver of what a ``HealthChecker`` finds out. Called on the checker's thread, within a turn of its loop: it
/// counts, publishes and returns, and never waits.
///
/// A target that several subscriptions share is checked once, and each of them is told.
public protocol HealthObserver: AnyObject, Sendable {
    /// A check has ended. Comes before the change that it may cause.
    func checked(_ subscription: HealthSubscription, _ outcome: CheckOutcome)

    /// The member went up or down. Before the first call it is up. `cause` is the outcome that decided; nil where a new
    /// subscription, or one with another target, takes over a state whose cause is not known.
    func changed(_ subscription: HealthSubscription, isUp: Bool, cause: CheckOutcome?)

    /// A check was due and could not be made, because this machine lacks a descriptor, port or address, or forbids it.
    /// That says nothing about the member, whose state stays. The next one is tried after the usual interval.
    func notChecked(_ subscription: HealthSubscription, _ error: SystemError)
}
