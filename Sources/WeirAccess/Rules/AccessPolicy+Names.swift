public import WeirStream

// Rules about the names in certificates, which are known after a client's handshake only.

extension AccessPolicy {
    /// Whether some rules look at the names in certificates.
    public var judgesNames: Bool {
        [global.deny, global.allow, route.deny, route.allow].contains { $0.judgesNames }
    }

    /// Judges a client before its handshake. Nil leaves it to ``decide(_:names:)`` after that: where there are rules
    /// about names, all clients but those that no name could let in.
    public func decideEarly(_ context: StreamContext) -> AccessDecision? {
        let decision = decide(context)
        guard judgesNames else { return decision }
        if decision.action == .allow { return nil }
        let earlier = AccessStep.order.prefix { $0 != decision.step }
        let mayPass = earlier.contains { step in
            switch step {
            case .routeAllow: route.allow.judgesNames
            case .globalAllow: global.allow.judgesNames
            case .globalDeny, .routeDeny, .loopback, .routeDefault, .allowLocal, .globalDefault: false
            }
        }
        return mayPass ? nil : decision
    }

    /// The decision of the deny lists over names alone; nil where they have none.
    func denial(of names: [String]) -> AccessDecision? {
        for (step, list) in [(AccessStep.globalDeny, global.deny), (.routeDeny, route.deny)] {
            if let number = list.match(names: names) {
                return AccessDecision(action: .deny, kind: list[number].rule.kind, step: step, rule: number)
            }
        }
        return nil
    }
}
