import LinuxIO
import WeirAccess
import WeirStream

/// A route's access rules at work: judges its clients, counts and logs what was decided.
final class RouteAccess: Sendable {
    private let policy: AccessPolicy
    private let counters: AccessCounters
    /// Says what the rules of decisions in the access log are.
    private let log: AccessRouteLog?
    private let gateway: SharedAddressDetector?
    private let routeLog: RouteLog

    /// `gateway` is nil where it does not matter whether clients hide behind one.
    init(
        _ policy: AccessPolicy, observer: any RouteObserver, log: AccessLog?, gateway: SharedAddressDetector?
    ) {
        self.policy = policy
        counters = AccessCounters(
            observer.common.registration, route: observer.common.route, outcomes: policy.possibleOutcomes)
        self.log = log.map { AccessRouteLog($0, route: observer.common.route.logRoute, policy: policy) }
        self.gateway = policy.trustsLocal ? gateway : nil
        routeLog = observer.common.log
    }

    /// Judges a client, once per connection or session. On its worker.
    func admit(_ context: StreamContext) -> AdmitDecision {
        let address = context.clientAddress
        let decision = policy.decide(context)
        counters[decision.outcome].add(shard: context.worker)
        log?.record(decision, context)
        if let gateway, !address.isUnix, gateway.note(address.ip) { routeLog.record(.behindGateway, context) }
        return decision.action == .allow ? .accept : .reject(.acl)
    }

    /// Judges a session again that was admitted under other rules. It was counted then; only its end is logged.
    func review(_ context: StreamContext) -> AdmitDecision {
        let decision = policy.decide(context)
        if decision.action == .allow { return .accept }
        log?.record(decision, context)
        return .reject(.acl)
    }
}
