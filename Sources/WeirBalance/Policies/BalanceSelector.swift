import LinuxIO
import WeirStream

/// An algorithm that chooses among the members of one tier. Each worker has its own, confined to it.
protocol SelectionPolicy {
    /// Creates the policy; the view has not been read yet.
    init(_ view: borrowing MemberView, worker: Int)
    /// The tiers or weights of the view have changed.
    mutating func viewChanged(_ view: borrowing MemberView)
    /// Returns the member of the request's tier to propose, of those that ``MemberView/isFree(_:_:)`` allows.
    mutating func pick(_ request: borrowing ChoiceRequest, _ view: inout MemberView) -> Pick
}

/// The selector of one worker under one configuration: it keeps the tiers, limits, trials and counts that all policies
/// have in common. A choice takes no lock and allocates nothing.
final class BalanceSelector<Policy: SelectionPolicy>: UpstreamSelector {
    private let set: UpstreamSet
    private let layout: MemberLayout
    private let worker: Int
    private let ejection: Ejection?
    // Exclusivity is not checked at run time on the fields of every choice: one thread owns the selector, and no call
    // during an access reaches it again.
    @safe @exclusivity(unchecked) private var view: MemberView
    @safe @exclusivity(unchecked) private var policy: Policy
    /// The member of the last proposal, counted already, that was not chosen yet; -1 for none.
    @safe @exclusivity(unchecked) private var proposal = -1
    @safe @exclusivity(unchecked) private(set) var rejectReason = RejectReason.noUpstream

    init(_ set: UpstreamSet, _ layout: MemberLayout, _ handles: [UpstreamHandle], worker: Int) {
        self.set = set
        self.layout = layout
        self.worker = worker
        ejection = layout.configuration.ejection
        view = MemberView(layout, handles)
        policy = Policy(view, worker: worker)
    }

    deinit { withdraw() }

    // MARK: Choice

    func next(for client: SocketAddress, tried: TriedUpstreams, now: UInt64) -> UpstreamHandle? {
        refresh(now: now)
        withdraw()
        var request = ChoiceRequest(client: client, tried: tried, isRetry: !tried.isEmpty, now: now, tier: view.base)
        view.obeysTrials = true
        view.sawLimit = false
        // Each further round leaves out one more member, which another worker has taken in this moment.
        for _ in 0...view.count {
            let pick = pick(&request)
            guard pick.index >= 0 else { break }
            guard view.take(pick.index, now: now) else {
                request.tried.insert(view.handles[pick.index])
                request.isRetry = true
                continue
            }
            proposal = pick.index
            noteFallback(pick, request.tier)
            return view.handles[pick.index]
        }
        rejectReason = view.sawLimit ? .upstreamLimit : .noUpstream
        return nil
    }

    private func refresh(now: UInt64) {
        // Acquire: the changes before this version are read after it.
        let version = set.version.load(ordering: .acquiring)
        guard version != view.version || now >= view.staleAt else { return }
        view.read(version: version, now: now)
        policy.viewChanged(view)
    }

    /// Asks the policy for a member of the best tier that has a free one.
    private func pick(_ request: inout ChoiceRequest) -> Pick {
        request.tier = view.base
        switch view.base {
        case .primary, .backup: break
        case .out: return layout.configuration.whenNone == .dial ? policy.pick(request, &view) : .none
        case .none: return .none
        }
        let first = policy.pick(request, &view)
        if first.index >= 0 { return first }
        if view.base == .primary {
            request.tier = .backup
            let second = policy.pick(request, &view)
            if second.index >= 0 { return second }
        }
        guard view.obeysTrials else { return .none }
        // Better a member on trial than none.
        view.obeysTrials = false
        return pick(&request)
    }

    private func noteFallback(_ pick: Pick, _ tier: Tier) {
        guard let observer = set.observer else { return }
        switch tier {
        case .primary:
            if pick.isLimited { observer.fellBack(.limit, worker: worker) }
        case .backup: observer.fellBack(view.sawLimit ? .limit : .backup, worker: worker)
        case .out, .none: observer.fellBack(.noneUp, worker: worker)
        }
    }

    func accepts(_ member: UpstreamHandle, now: UInt64) -> Bool {
        withdraw()
        guard let index = view.index(of: member) else { return false }
        guard view.cells[index].add(limit: view.limits[index]) else {
            rejectReason = .upstreamLimit
            return false
        }
        proposal = index
        return true
    }

    func keeps(_ member: UpstreamHandle, now: UInt64) -> Bool {
        guard let index = view.index(of: member) else { return true }
        switch layout.records[index].state {
        case .up, .draining: return true
        case .down, .ejected: return false
        }
    }

    /// Takes back a proposal that was not chosen.
    private func withdraw() {
        guard proposal >= 0 else { return }
        view.cells[proposal].subtract()
        layout.records[proposal].trial.abandon()
        proposal = -1
    }

    // MARK: Results

    func chosen(_ member: UpstreamHandle) {
        guard let index = view.index(of: member) else { return }
        if proposal == index {
            proposal = -1
        } else {
            withdraw()
            view.cells[index].add()
        }
    }

    func dialEnded(_ member: UpstreamHandle, failure: DialFailure?, now: UInt64) {
        guard let ejection, let index = view.index(of: member) else { return }
        set.dialEnded(layout.records[index], ejection, failure: failure, now: now)
    }

    func answered(_ member: UpstreamHandle, now: UInt64) {
        guard ejection != nil, let index = view.index(of: member) else { return }
        set.answered(layout.records[index], now: now)
    }

    func brokeUnanswered(_ member: UpstreamHandle, isAsked: Bool, now: UInt64) {
        guard let ejection, let index = view.index(of: member) else { return }
        set.brokeUnanswered(layout.records[index], ejection, isAsked: isAsked, now: now)
    }

    func answeredAgain(_ member: UpstreamHandle, now: UInt64) { answered(member, now: now) }

    func leftUnanswered(_ member: UpstreamHandle, now: UInt64) {
        guard let ejection, let index = view.index(of: member) else { return }
        set.leftUnanswered(layout.records[index], ejection, now: now)
    }

    func released(_ member: UpstreamHandle) {
        guard let index = view.index(of: member) else { return }
        view.cells[index].subtract()
    }
}
