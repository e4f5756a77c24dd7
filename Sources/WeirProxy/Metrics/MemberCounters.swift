import WeirMetrics

/// The counters of one family, one for each member of a closed label, found by index.
struct MemberCounters<Member: MetricMember>: Sendable {
    private let counters: [Counter]
    /// The exported members, in order.
    let exported: [Member]

    /// Registers the possible members; the impossible ones count nowhere.
    init(_ registration: RouteRegistration, _ family: MetricFamily, labels: [String], members: [Member]) {
        var counters = Member.allCases.map { _ in registration.discarding }
        for member in members {
            counters[member.memberIndex] = registration.counter(family, labels + [member.label])
        }
        self.counters = counters
        exported = members
    }

    /// The counter of one member.
    @inline(__always)
    subscript(_ member: Member) -> Counter { counters[member.memberIndex] }

    /// All exported counters.
    var all: [Counter] { exported.map { self[$0] } }
}
