import LinuxIO
import TestSupport

@testable import WeirHealth

/// Keeps what a checker tells, in its order.
final class RecordingObserver: HealthObserver {
    struct Check: Sendable {
        var token: UInt64
        var outcome: CheckOutcome
    }

    struct Change: Hashable, Sendable {
        var token: UInt64
        var isUp: Bool
        var cause: CheckOutcome?
    }

    private struct Kept: Sendable {
        var checks: [Check] = []
        var changes: [Change] = []
        var errors: [SystemError] = []
    }

    private let kept = Shared(Kept())

    var checks: [Check] { kept.withLock { $0.checks } }
    var changes: [Change] { kept.withLock { $0.changes } }
    var errors: [SystemError] { kept.withLock { $0.errors } }
    var results: [CheckResult] { checks.map(\.outcome.result) }

    func results(of token: UInt64) -> [CheckResult] { checks.filter { $0.token == token }.map(\.outcome.result) }

    func checked(_ subscription: HealthSubscription, _ outcome: CheckOutcome) {
        kept.withLock { $0.checks.append(Check(token: subscription.token, outcome: outcome)) }
    }

    func changed(_ subscription: HealthSubscription, isUp: Bool, cause: CheckOutcome?) {
        kept.withLock { $0.changes.append(Change(token: subscription.token, isUp: isUp, cause: cause)) }
    }

    func notChecked(_ subscription: HealthSubscription, _ error: SystemError) {
        kept.withLock { $0.errors.append(error) }
    }
}
