/// The policy ``BalanceMethod/roundRobin``: smooth and weighted. Each member has a deadline, the earliest one is next,
/// and its deadline then moves on by the inverse of its weight (earliest deadline first), so that each gets its share
/// exactly, and clients of a heavy one are spread among those of the others. A heap makes a choice logarithmic.
struct RoundRobin: SelectionPolicy {
    /// The next turn of each member, on a clock that moves with the choices.
    private var deadlines: [UInt64]
    /// The distance between two turns of each member.
    private var strides: [UInt64]
    /// The members of the view's first tier as a heap: the deadline of an entry is not later than those of its two
    /// children, at twice its index plus 1 and 2.
    private var heap: [Turn] = []
    private var isInHeap: [Bool]
    /// The deadline of the last choice.
    private var clock: UInt64 = 0
    private let offset: Int

    /// A member in the heap, with its deadline beside it: a walk down touches nothing else.
    private struct Turn {
        var deadline: UInt64
        var index: Int32
    }

    /// A turn of weight 1 in 1/256, the smallest one.
    private static let fullStride: UInt64 = 1 << 32
    /// The deadlines are moved back when the clock is beyond this, so that they never overflow: with equal weights
    /// after a thousand turns of each member.
    private static let lastClock: UInt64 = 1 << 34
    /// The members that are passed over as they come, before all are looked at.
    private static let maxSkips = 4

    init(_ view: borrowing MemberView, worker: Int) {
        offset = Stagger.offset(of: worker, generation: view.layout.generation, among: view.count)
        deadlines = Array(repeating: 0, count: view.count)
        strides = Array(repeating: 0, count: view.count)
        isInHeap = Array(repeating: false, count: view.count)
        heap.reserveCapacity(view.count)
    }

    mutating func viewChanged(_ view: borrowing MemberView) {
        heap.removeAll(keepingCapacity: true)
        for index in 0..<view.count {
            let stride = Self.fullStride / UInt64(view.weights[index])
            let isMember = view.tiers[index] == view.base
            if isMember, isInHeap[index] {
                // The rest of its wait shrinks or grows with the stride.
                let rest = deadlines[index] - min(clock, deadlines[index])
                if stride != strides[index] {
                    deadlines[index] = clock + UInt64(Double(rest) / Double(strides[index]) * Double(stride))
                }
            } else {
                deadlines[index] = clock + firstWait(index, stride, count: view.count)
            }
            strides[index] = stride
            isInHeap[index] = isMember
            if isMember { heap.append(Turn(deadline: deadlines[index], index: Int32(index))) }
        }
        for position in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(position) }
    }

    /// The wait of a new member: within its stride, and different for each member and worker.
    private func firstWait(_ index: Int, _ stride: UInt64, count: Int) -> UInt64 {
        let turn = index >= offset ? index - offset : index - offset + count
        return stride * UInt64(turn + 1) / UInt64(count)
    }

    private mutating func rebase() {
        for index in deadlines.indices { deadlines[index] -= min(clock, deadlines[index]) }
        for position in heap.indices { heap[position].deadline = deadlines[Int(heap[position].index)] }
        clock = 0
    }

    mutating func pick(_ request: borrowing ChoiceRequest, _ view: inout MemberView) -> Pick {
        if clock > Self.lastClock { rebase() }
        guard request.tier == view.base, !heap.isEmpty else { return scan(request, &view) }
        var skips = 0
        while true {
            let index = Int(heap[0].index)
            if view.isFree(index, request) {
                turnTaken(index)
                moveDown(0)
                return Pick(index: index, isLimited: skips > 0 && view.sawLimit)
            }
            // Members that this client has tried keep their turn for others.
            guard !request.isRetry, skips < Self.maxSkips else { return scan(request, &view) }
            skips += 1
            turnTaken(index)
            moveDown(0)
        }
    }

    /// Looks at all members of a tier.
    private mutating func scan(_ request: borrowing ChoiceRequest, _ view: inout MemberView) -> Pick {
        var best = -1
        for index in 0..<view.count where view.tiers[index] == request.tier {
            if best >= 0, deadlines[index] >= deadlines[best] { continue }
            if view.isFree(index, request) { best = index }
        }
        guard best >= 0 else { return .none }
        turnTaken(best)
        if isInHeap[best], let position = heap.firstIndex(where: { Int($0.index) == best }) { moveDown(position) }
        return Pick(index: best, isLimited: view.sawLimit)
    }

    /// Moves a member's deadline on. One that could not take its turns for long does not make up for them.
    @inline(__always)
    private mutating func turnTaken(_ index: Int) {
        clock = max(clock, deadlines[index])
        deadlines[index] = clock + strides[index]
    }

    /// Restores the heap behind a later deadline of the member at a position.
    @inline(__always)
    private mutating func moveDown(_ position: Int) {
        heap[position].deadline = deadlines[Int(heap[position].index)]
        siftDown(position)
    }

    @inline(__always)
    private mutating func siftDown(_ start: Int) {
        let moved = heap[start]
        let count = heap.count
        var position = start
        while true {
            var child = 2 * position + 1
            if child + 1 < count {
                // Without a branch, which would be guessed wrong every other time.
                child &+= heap[child + 1].deadline < heap[child].deadline ? 1 : 0
            } else if child >= count {
                break
            }
            let other = heap[child]
            if other.deadline >= moved.deadline { break }
            heap[position] = other
            position = child
        }
        heap[position] = moved
    }
}
