import WeirMetrics

/// The counters of one family, one for each member of a closed label, found by index.
struct MemberCounters<Member: MetricMember>: Sendable {
    private let counters: [Counter]
    /// The exported members, in order.
    let exported: [Member]

    /// The hidden ones.
    private let hidden: [Member]

    /// Registers the possible members; the impossible ones count nowhere. Those that only a reload can make possible
    /// are hidden until then, where a derived gauge must know them before.
    init(
        _ registration: RouteRegistration, _ family: MetricFamily, labels: [String], members: [Member],
        hidden: [Member] = []
    ) {
        var counters = Member.allCases.map { _ in registration.discarding }
        for member in members {
            counters[member.memberIndex] = registration.counter(family, labels + [member.label])
        }
        for member in hidden {
            counters[member.memberIndex] = registration.counter(family, labels + [member.label], isHidden: true)
        }
        self.counters = counters
        exported = members
        self.hidden = hidden
    }

    /// The counter of one member.
    @inline(__always)
    subscript(_ member: Member) -> Counter { counters[member.memberIndex] }

    /// All counters, the hidden ones included, in an order that does not depend on which are hidden.
    var all: [Counter] {
        (exported + hidden).sorted { $0.memberIndex < $1.memberIndex }.map { self[$0] }
    }
}
