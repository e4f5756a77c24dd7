/// Bounds the lookups that run at once, so that names whose servers are silent do not hold up others. Pure bookkeeping;
/// identifiers of lookups are chosen by the owner.
///
/// - At most ``maxFast`` lookups run, of which ``reserved`` are kept for names whose last lookup succeeded.
/// - One that runs for long moves to a part of its own, at most ``maxSlow``, and makes room.
/// - Of those that wait, names that answered come first, then new ones, then those that were silent before.
struct LookupSlots {
    /// The hope for a quick answer.
    enum Standing: Int, CaseIterable {
        /// The last lookup succeeded.
        case answered
        /// There was none yet, or it failed quickly.
        case unknown
        /// The last lookup timed out.
        case silent
    }

    static let maxFast = 32
    static let reserved = 8
    static let maxSlow = 64

    private var fast: Set<Int> = []
    /// The fast ones that have run for long, in their order, while there is no room among the slow ones.
    private var overdue: [Int] = []
    private var slow: Set<Int> = []
    private var waiting: [[Int]] = Standing.allCases.map { _ in [] }

    /// The lookups that run.
    var count: Int { fast.count + slow.count }

    /// Begins a lookup, or lets it wait. Returns whether it runs.
    mutating func begin(_ lookup: Int, _ standing: Standing) -> Bool {
        // Waiting ones of an equal or better standing come first.
        if hasRoom(for: standing), waiting[...standing.rawValue].allSatisfy(\.isEmpty) {
            fast.insert(lookup)
            return true
        }
        waiting[standing.rawValue].append(lookup)
        return false
    }

    /// Whether a lookup of this standing would have to wait.
    func isFull(for standing: Standing) -> Bool {
        !hasRoom(for: standing) || waiting[...standing.rawValue].contains { !$0.isEmpty }
    }

    /// A lookup has run for long. Returns those that begin now.
    mutating func becameSlow(_ lookup: Int) -> [Int] {
        guard fast.contains(lookup) else { return [] }
        overdue.append(lookup)
        return goOn()
    }

    /// A lookup has ended. Returns those that begin now.
    mutating func end(_ lookup: Int) -> [Int] {
        fast.remove(lookup)
        slow.remove(lookup)
        overdue.removeAll { $0 == lookup }
        return goOn()
    }

    private func hasRoom(for standing: Standing) -> Bool {
        fast.count < Self.maxFast - (standing == .answered ? 0 : Self.reserved)
    }

    private mutating func goOn() -> [Int] {
        while slow.count < Self.maxSlow, !overdue.isEmpty {
            let lookup = overdue.removeFirst()
            fast.remove(lookup)
            slow.insert(lookup)
        }
        var begun: [Int] = []
        for standing in Standing.allCases {
            while !waiting[standing.rawValue].isEmpty, hasRoom(for: standing) {
                let lookup = waiting[standing.rawValue].removeFirst()
                fast.insert(lookup)
                begun.append(lookup)
            }
        }
        return begun
    }
}
