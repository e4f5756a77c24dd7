/// A hierarchical timer wheel: arming and canceling cost the same however many timers there are.
///
/// Four levels of 256 slots, one millisecond a tick: level 0 holds the next 256 ticks one by one, each higher level
/// 256 times as much a slot, 49 days in all; a later timer waits in the last slot and is filed again. Timers are nodes
/// in one table, linked by index, so that arming one does not allocate once the table has grown. Not thread-safe: it
/// belongs to one event loop.
public struct TimerWheel: ~Copyable {
    /// Identifies an armed timer. Canceling a timer that has fired or was canceled does nothing.
    public struct Identifier: Hashable, Sendable {
        let index: Int32
        let generation: UInt32
        /// No timer.
        public static let none = Identifier(index: -1, generation: 0)
        /// Whether it identifies no timer.
        public var isNone: Bool { index < 0 }
    }

    struct Node {
        var deadline: UInt64
        var payload: UInt64
        var previous: Int32
        var next: Int32
        var slot: Int32
        var generation: UInt32
    }

    /// The length of a tick.
    public static let tickNanoseconds: UInt64 = 1_000_000
    static let levels = 4
    static let slotBits: UInt64 = 8
    static let slotsPerLevel = 256
    static let maxDistanceTicks: UInt64 = (1 << 32) - 1

    private var nodes = GrowingTable<Node>()
    private var firstFree: Int32 = -1
    private var heads: ContiguousArray<Int32>
    private var occupied: ContiguousArray<UInt64>
    private var now: UInt64
    /// The next tick with work, or an earlier one if that work was canceled; `max` without any. It spares most turns
    /// the look at the slots.
    private var stop = UInt64.max
    /// How many timers are armed.
    public private(set) var count = 0

    /// Creates an empty wheel whose current time is `nanoseconds`.
    public init(nanoseconds: UInt64) {
        heads = ContiguousArray(repeating: -1, count: Self.levels * Self.slotsPerLevel)
        occupied = ContiguousArray(repeating: 0, count: Self.levels * 4)
        now = nanoseconds / Self.tickNanoseconds
    }

    /// Arms a timer that fires at the first turn at or after `deadline` (nanoseconds), never before it.
    public mutating func schedule(at deadline: UInt64, payload: UInt64) -> Identifier {
        let whole = deadline / Self.tickNanoseconds
        let ticks = whole + (deadline % Self.tickNanoseconds == 0 ? 0 : 1)
        let deadline = max(ticks, now + 1)
        let index = takeNode()
        var generation: UInt32 = 0
        nodes.update(Int(index)) { node in
            node.deadline = deadline
            node.payload = payload
            generation = node.generation
        }
        file(index, deadline: deadline)
        count += 1
        return Identifier(index: index, generation: generation)
    }

    /// Cancels a timer. Returns whether it was armed.
    @discardableResult
    public mutating func cancel(_ timer: Identifier) -> Bool {
        guard timer.index >= 0 else { return false }
        let node = nodes[Int(timer.index)]
        guard node.generation == timer.generation, node.slot >= 0 else { return false }
        unlink(node)
        freeNode(timer.index)
        count -= 1
        return true
    }

    /// Moves to `nanoseconds` and hands every due timer to `fire`, with its deadline in nanoseconds. `fire` must not
    /// arm or cancel timers: collect the payloads, and act after `advance` returns.
    public mutating func advance(to nanoseconds: UInt64, fire: (_ payload: UInt64, _ deadline: UInt64) -> Void) {
        let target = nanoseconds / Self.tickNanoseconds
        if count == 0 { stop = .max }
        while stop <= target {
            now = stop
            cascade()
            fireSlot(Int(now & 255), fire)
            stop = nextStop()
        }
        now = max(now, target)
    }

    /// The time in nanoseconds at which ``advance(to:fire:)`` is due next; nil without an armed timer. Never later than
    /// the next deadline, but perhaps earlier, when a slot of a higher level must be spread out first.
    public var nextDeadline: UInt64? {
        count == 0 ? nil : stop * Self.tickNanoseconds
    }

    // MARK: Slots

    /// The next tick at which a slot of level 0 fires or a slot of a higher level is spread out.
    private func nextStop() -> UInt64 {
        var best = UInt64.max
        for level in 0..<Self.levels {
            let shift = Self.slotBits * UInt64(level)
            let position = now >> shift
            guard let distance = distanceToOccupied(level: level, from: Int(position & 255)) else { continue }
            best = min(best, (position + UInt64(distance)) << shift)
        }
        return best
    }

    /// Slots ahead (1 to 256) to the next one in use.
    private func distanceToOccupied(level: Int, from position: Int) -> Int? {
        var word = (position + 1) % 256 / 64
        var bits = occupied[level * 4 + word] & (.max << UInt64((position + 1) % 64))
        for _ in 0...4 {
            if bits != 0 {
                let slot = word * 64 + bits.trailingZeroBitCount
                return (slot - position - 1 + 256) % 256 + 1
            }
            word = (word + 1) % 4
            bits = occupied[level * 4 + word]
        }
        return nil
    }

    /// Spreads the higher slots that start at this tick over the lower levels.
    private mutating func cascade() {
        for level in 1..<Self.levels {
            let shift = Self.slotBits * UInt64(level)
            guard now & ((1 << shift) - 1) == 0 else { return }
            var index = takeSlot(level * Self.slotsPerLevel + Int(now >> shift & 255))
            while index >= 0 {
                let node = nodes[Int(index)]
                file(index, deadline: node.deadline)
                index = node.next
            }
        }
    }

    private mutating func fireSlot(_ slot: Int, _ fire: (UInt64, UInt64) -> Void) {
        var index = takeSlot(slot)
        while index >= 0 {
            let node = nodes[Int(index)]
            if node.deadline <= now {
                freeNode(index)
                count -= 1
                fire(node.payload, node.deadline * Self.tickNanoseconds)
            } else {
                file(index, deadline: node.deadline)
            }
            index = node.next
        }
    }

    /// Puts a node into the slot that its deadline belongs to, as seen from now.
    private mutating func file(_ index: Int32, deadline: UInt64) {
        let distance = min(deadline - min(now, deadline), Self.maxDistanceTicks)
        let target = now + distance
        var level = 0
        while level < Self.levels - 1, distance >> (Self.slotBits * UInt64(level + 1)) != 0 { level += 1 }
        let slot = level * Self.slotsPerLevel + Int(target >> (Self.slotBits * UInt64(level)) & 255)
        let shift = Self.slotBits * UInt64(level)
        stop = min(stop, (target >> shift) << shift)
        let head = heads[slot]
        nodes.update(Int(index)) { node in
            node.slot = Int32(slot)
            node.previous = -1
            node.next = head
        }
        if head >= 0 { nodes[Int(head)].previous = index }
        heads[slot] = index
        occupied[slot / 64] |= 1 << UInt64(slot % 64)
    }

    private mutating func takeSlot(_ slot: Int) -> Int32 {
        let head = heads[slot]
        heads[slot] = -1
        occupied[slot / 64] &= ~(1 << UInt64(slot % 64))
        return head
    }

    private mutating func unlink(_ node: Node) {
        if node.next >= 0 { nodes[Int(node.next)].previous = node.previous }
        if node.previous >= 0 {
            nodes[Int(node.previous)].next = node.next
        } else {
            heads[Int(node.slot)] = node.next
            if node.next < 0 { occupied[Int(node.slot) / 64] &= ~(1 << UInt64(node.slot % 64)) }
        }
    }

    private mutating func takeNode() -> Int32 {
        if firstFree >= 0 {
            let index = firstFree
            firstFree = nodes[Int(index)].next
            return index
        }
        nodes.append(Node(deadline: 0, payload: 0, previous: -1, next: -1, slot: -1, generation: 0))
        return Int32(nodes.count - 1)
    }

    private mutating func freeNode(_ index: Int32) {
        let next = firstFree
        nodes.update(Int(index)) { node in
            node.slot = -1
            node.generation &+= 1
            node.next = next
        }
        firstFree = index
    }
}
