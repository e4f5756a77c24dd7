/// The snapshots of one route on one worker: one for the clients of most listeners, and one for each other shift of the
/// upstreams' ports (``StreamListener/portShift``), created when a client, or a UDP listener, first needs it. They have
/// one selector, and differ in the addresses that they dial. Confined to the worker.
struct RouteSnapshots<Settings: Sendable> {
    /// The snapshot without a shift.
    private(set) var base: RouteSnapshot<Settings>
    private var shifted: [UInt16: RouteSnapshot<Settings>] = [:]
    /// The shifts of listeners that have one, by the listener's number.
    private var shifts: [UInt32: UInt16]
    private let worker: Int
    private let answers: AnswerHistory?

    init(_ plan: RoutePlan<Settings>, worker: Int, answers: AnswerHistory? = nil) {
        base = RouteSnapshot(plan, worker: worker)
        base.answers = answers
        shifts = plan.portShifts
        self.worker = worker
        self.answers = answers
    }

    /// Follows another plan. Snapshots that a listener still uses are renewed at once, because clients of the old ones
    /// may wait for addresses.
    mutating func follow(_ plan: RoutePlan<Settings>) {
        base = RouteSnapshot(plan, worker: worker, previous: base)
        base.answers = answers
        shifts = plan.portShifts
        let before = shifted
        shifted = [:]
        if before.isEmpty { return }
        for shift in Set(shifts.values) {
            guard let previous = before[shift] else { continue }
            shifted[shift] = RouteSnapshot(shifting: base, by: shift, previous: previous)
        }
    }

    /// Returns the snapshot of new clients of a listener.
    mutating func snapshot(ofListener number: UInt32) -> RouteSnapshot<Settings> {
        guard !shifts.isEmpty, let shift = shifts[number] else { return base }
        return snapshot(shiftedBy: shift)
    }

    /// Returns the snapshot of new clients of a listener with this shift.
    mutating func snapshot(shiftedBy shift: UInt16) -> RouteSnapshot<Settings> {
        if shift == 0 { return base }
        if let known = shifted[shift] { return known }
        let new = RouteSnapshot(shifting: base, by: shift)
        shifted[shift] = new
        return new
    }

    /// Returns the upstreams of all snapshots; none where the number of the plan is another one.
    func upstreams(generation: Int) -> [[UpstreamState]] {
        guard base.generation == generation else { return [] }
        return [base.upstreams] + shifted.values.map(\.upstreams)
    }
}
