import WeirAccess
import WeirMetrics

/// Counts the decisions of a route's access rules, by what was decided, by what kind of rule and in whose scope.
struct AccessCounters: Sendable {
    private let table: CounterTable

    /// Registers the outcomes that are possible. Any other is put on the page when it first counts.
    init(_ registration: RouteRegistration, route: RouteDescription, outcomes: [AccessDecision.Outcome]) {
        let (actions, kinds) = (LabelIndex<AccessAction>.values, LabelIndex<AccessRuleKind>.values)
        let scopes = LabelIndex<AccessScope>.values
        let possible = Set(outcomes.map(Self.index(of:)))
        let routeLabels = route.labels
        table = CounterTable(
            registration, MetricCatalogue.accessDecisions, count: actions.count * kinds.count * scopes.count,
            isExpected: possible.contains,
            labels: { index in
                let action = actions[index / scopes.count % actions.count]
                let kind = kinds[index / scopes.count / actions.count]
                return routeLabels + [action.label, kind.label, scopes[index % scopes.count].label]
            })
    }

    /// The counter of one outcome.
    subscript(_ outcome: AccessDecision.Outcome) -> Counter {
        let index = Self.index(of: outcome)
        return table.expectedCounter(index) ?? table.lateCounter(index)
    }

    private static let actionCount = AccessAction.allCases.count
    private static let scopeCount = AccessScope.allCases.count

    private static func index(of outcome: AccessDecision.Outcome) -> Int {
        (outcome.kind.ordinal * actionCount + outcome.action.ordinal) * scopeCount + outcome.scope.ordinal
    }
}
