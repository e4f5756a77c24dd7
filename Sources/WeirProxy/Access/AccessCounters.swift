import WeirAccess
import WeirMetrics

/// Counts the decisions of a route's access rules, by what was decided, by what kind of rule and in whose scope.
struct AccessCounters: Sendable {
    private let counters: [Counter]

    /// Registers the outcomes that are possible; others count nowhere.
    init(_ registration: RouteRegistration, route: RouteDescription, outcomes: [AccessDecision.Outcome]) {
        let count = AccessAction.allCases.count * AccessRuleKind.allCases.count * AccessScope.allCases.count
        var counters = Array(repeating: registration.discarding, count: count)
        for outcome in outcomes {
            counters[Self.index(of: outcome)] = registration.counter(
                MetricCatalogue.accessDecisions,
                route.labels + [outcome.action.rawValue, outcome.kind.rawValue, outcome.scope.rawValue])
        }
        self.counters = counters
    }

    /// The counter of one outcome.
    subscript(_ outcome: AccessDecision.Outcome) -> Counter { counters[Self.index(of: outcome)] }

    private static func index(of outcome: AccessDecision.Outcome) -> Int {
        (outcome.kind.memberIndex * AccessAction.allCases.count + outcome.action.memberIndex)
            * AccessScope.allCases.count + outcome.scope.memberIndex
    }
}

extension AccessAction: MetricMember {
    var memberIndex: Int { self == .allow ? 0 : 1 }
}

extension AccessScope: MetricMember {
    var memberIndex: Int { self == .route ? 0 : 1 }
}

extension AccessRuleKind: MetricMember {
    var memberIndex: Int {
        switch self {
        case .ip: 0
        case .cidr: 1
        case .country: 2
        case .timezone: 3
        case .local: 4
        case .default: 5
        }
    }
}
