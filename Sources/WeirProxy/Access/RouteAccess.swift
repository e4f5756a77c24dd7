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
    /// Whether clients have to show certificates, and rules ask for names in them.
    let judgesNames: Bool

    /// `gateway` is nil where it does not matter whether clients hide behind one. `hasNames` says that clients show
    /// certificates.
    init(
        _ policy: AccessPolicy, observer: any RouteObserver, log: AccessLog?, gateway: SharedAddressDetector?,
        hasNames: Bool
    ) {
        self.policy = policy
        judgesNames = hasNames && policy.judgesNames
        counters = AccessCounters(
            observer.common.registration, route: observer.common.route, outcomes: policy.possibleOutcomes)
        self.log = log.map { AccessRouteLog($0, route: observer.common.route.logRoute, policy: policy) }
        self.gateway = policy.trustsLocal ? gateway : nil
        routeLog = observer.common.log
    }

    /// Judges a client, once per connection or session. On its worker. Where names decide, most are left to
    /// ``admitSecured(_:_:)``.
    func admit(_ context: StreamContext) -> AdmitDecision {
        guard judgesNames else { return settle(policy.decide(context), context) }
        return policy.decideEarly(context).map { settle($0, context) } ?? .accept
    }

    /// Judges a client after its handshake, by the names that this has proved.
    func admitSecured(_ context: StreamContext, _ session: any SecureSession) -> AdmitDecision {
        settle(policy.decide(context, names: session.peerNames), context)
    }

    /// Counts and logs a decision, and carries it out.
    private func settle(_ decision: AccessDecision, _ context: StreamContext) -> AdmitDecision {
        let address = context.clientAddress
        counters[decision.outcome].add(shard: context.worker)
        log?.record(decision, context)
        if let gateway, !address.isUnix, gateway.note(address.ip) { routeLog.record(.behindGateway, context) }
        return decision.action == .allow ? .accept : .reject(.acl)
    }

    /// Judges a session again that was admitted under other rules, or as that of another client: a peer that is let in
    /// may name the one behind it. It was counted then; only its end is logged. `names` are those that a handshake has
    /// proved.
    func review(_ context: StreamContext, names: [String] = []) -> AdmitDecision {
        let decision = policy.decide(context, names: names)
        if decision.action == .allow { return .accept }
        log?.record(decision, context)
        return .reject(.acl)
    }
}
