extension AccessPolicy {
    /// Whether no rule exists: every client passes, and no look-up is needed.
    public var isOff: Bool {
        lists.allSatisfy(\.isEmpty) && (routeDefault ?? globalDefault) == .allow
    }

    /// Whether private addresses pass only because of `allow_local`: behind a NAT gateway, everybody does.
    public var trustsLocal: Bool {
        routeDefault == nil && allowsLocal && globalDefault == .deny
    }

    /// Every kind of decision that can come about, in the order of the steps: what metrics export.
    public var possibleOutcomes: [AccessDecision.Outcome] {
        var outcomes: [AccessDecision.Outcome] = []
        func add(_ step: AccessStep, _ action: AccessAction, _ kinds: [AccessRuleKind]) {
            for kind in kinds {
                let outcome = AccessDecision.Outcome(action: action, kind: kind, scope: step.scope)
                if !outcomes.contains(outcome) { outcomes.append(outcome) }
            }
        }
        for step in AccessStep.allCases {
            switch step {
            case .globalDeny: add(step, .deny, global.deny.kinds)
            case .routeDeny: add(step, .deny, route.deny.kinds)
            case .loopback: add(step, .allow, [.local])
            case .routeAllow: add(step, .allow, route.allow.kinds)
            case .routeDefault:
                guard let routeDefault else { continue }
                add(step, routeDefault, [.default])
                return outcomes
            case .globalAllow: add(step, .allow, global.allow.kinds)
            case .allowLocal: if allowsLocal { add(step, .allow, [.local]) }
            case .globalDefault: add(step, globalDefault, [.default])
            }
        }
        return outcomes
    }

    /// The rule behind a decision of this policy; nil where it was none of a list.
    public func entry(of decision: AccessDecision) -> AccessList.Entry? {
        guard let number = decision.rule else { return nil }
        let list: AccessList? =
            switch decision.step {
            case .globalDeny: global.deny
            case .routeDeny: route.deny
            case .routeAllow: route.allow
            case .globalAllow: global.allow
            case .loopback, .routeDefault, .allowLocal, .globalDefault: nil
            }
        guard let list, number < list.count else { return nil }
        return list[number]
    }

    private var lists: [AccessList] { [global.deny, global.allow, route.deny, route.allow] }
}
