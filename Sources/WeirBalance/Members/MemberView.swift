import LinuxIO
import WeirStream

/// The members that a policy may choose from while better ones are left.
enum Tier: UInt8 {
    /// Up, and no backup.
    case primary
    /// A backup that is up.
    case backup
    /// Not up, for ``WhenNone/dial``.
    case out
    /// Not to be chosen at all.
    case none
}

/// A choice to make for one client.
struct ChoiceRequest {
    let client: SocketAddress
    /// The members that are left out: those that were dialed, and those that another worker was faster to take.
    var tried: TriedUpstreams
    var isRetry: Bool
    let now: UInt64
    var tier: Tier
}

/// The proposal of a policy.
struct Pick {
    /// The member's index; -1 for none.
    var index: Int
    /// Whether the policy prefers another one, which has reached its limit.
    var isLimited = false

    static var none: Pick { Pick(index: -1) }
}

/// The members of a layout as one worker sees them: read anew when the set has changed or a time has come, and flat, so
/// that a walk over them touches little memory. Confined to the worker.
struct MemberView {
    let layout: MemberLayout
    let handles: [UpstreamHandle]
    let cells: [CountCell]
    /// `Int32.max` is no limit.
    let limits: [Int32]
    private(set) var tiers: [Tier]
    /// The weights times 256, so that a slow start has steps; at least 1.
    private(set) var weights: [UInt32]
    /// The share of its weight in 1/256 that a member has in a slow start; 256 is all of it.
    private(set) var ramps: [UInt16]
    private var isOnTrial: [Bool]
    /// Whether members on trial are left out; false only where else no member is left.
    var obeysTrials = true
    /// The first tier that has a member.
    private(set) var base = Tier.none
    private(set) var version: UInt64 = 0
    /// The time at which the members must be read anew.
    private(set) var staleAt: UInt64 = 0
    /// Whether a member of the last pick had reached its limit.
    var sawLimit = false

    static let weightScale: UInt32 = 256

    init(_ layout: MemberLayout, _ handles: [UpstreamHandle]) {
        self.layout = layout
        self.handles = handles
        cells = layout.records.map(\.cell)
        limits = layout.configuration.members.map { $0.maxConnections.map { Int32($0) } ?? .max }
        tiers = Array(repeating: .none, count: layout.count)
        weights = Array(repeating: 1, count: layout.count)
        ramps = Array(repeating: 256, count: layout.count)
        isOnTrial = Array(repeating: false, count: layout.count)
    }

    var count: Int { handles.count }

    /// Returns the index of a member; nil where the handle belongs to no member.
    func index(of handle: UpstreamHandle) -> Int? {
        let slot = Int(handle.slot)
        if slot < handles.count, handles[slot] == handle { return slot }
        return handles.firstIndex(of: handle)
    }

    // MARK: Reading

    /// Reads the state of every member.
    mutating func read(version: UInt64, now: UInt64) {
        self.version = version
        staleAt = .max
        base = .none
        var isTrialNeeded = true
        for index in 0..<count {
            read(index, now: now)
            if tiers[index].rawValue < base.rawValue {
                base = tiers[index]
                isTrialNeeded = isOnTrial[index]
            } else if tiers[index] == base, !isOnTrial[index] {
                isTrialNeeded = false
            }
        }
        // With no other member left, a trial would only turn clients away.
        if isTrialNeeded { for index in 0..<count where tiers[index] == base { isOnTrial[index] = false } }
    }

    private mutating func read(_ index: Int, now: UInt64) {
        let record = layout.records[index]
        let marks = record.marks
        let configured = layout.configuration.members[index]
        isOnTrial[index] = false
        ramps[index] = 256
        weights[index] = UInt32(configured.weight) * Self.weightScale
        guard marks.isDisjoint(with: .draining) else {
            tiers[index] = .none
            return
        }
        tiers[index] = .out
        guard marks.isDisjoint(with: .down) else { return }
        if marks.contains(.suspect) {
            let end = record.suspectUntil.load(ordering: .relaxed)
            if now < end { return staleAt = min(staleAt, end) }
        }
        var rampStart = record.rampStart.load(ordering: .relaxed)
        if marks.contains(.ejected) {
            let end = record.ejectedUntil.load(ordering: .relaxed)
            if now < end { return staleAt = min(staleAt, end) }
            rampStart = end
        }
        tiers[index] = configured.isBackup ? .backup : .primary
        isOnTrial[index] = marks.contains(.onProbation)
        guard layout.slowStart > 0 else { return }
        let share = SlowStart.share(start: rampStart, length: layout.slowStart, now: now)
        guard share < 1 else { return }
        ramps[index] = UInt16(share * 256)
        weights[index] = max(1, UInt32(Double(weights[index]) * share))
        // In 64 steps, and at most one in ten milliseconds.
        staleAt = min(staleAt, now &+ max(layout.slowStart / 64, 10_000_000))
    }

    // MARK: One member

    /// Whether a client may take a member of the request's tier, with a note where only its limit forbids it.
    @inline(__always)
    mutating func isFree(_ index: Int, _ request: borrowing ChoiceRequest) -> Bool {
        if request.isRetry, request.tried.contains(handles[index]) { return false }
        if isOnTrial[index], obeysTrials, !layout.records[index].trial.isOpen(now: request.now) { return false }
        if cells[index].value < limits[index] { return true }
        sawLimit = true
        return false
    }

    /// Counts a client of a member. Returns false where another worker was faster.
    mutating func take(_ index: Int, now: UInt64) -> Bool {
        let isTrial = isOnTrial[index] && obeysTrials
        if isTrial, !layout.records[index].trial.enter(now: now) { return false }
        if cells[index].add(limit: limits[index]) { return true }
        if isTrial { layout.records[index].trial.abandon() }
        sawLimit = true
        return false
    }

    /// Whether a member of a tier is not in a slow start any more, or this client is among those that it already takes:
    /// `draw` is 0…255, and always the same for a client.
    func isReady(_ index: Int, draw: UInt16) -> Bool { draw < ramps[index] }
}
