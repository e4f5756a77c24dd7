import NetworkTypes

/// The network of a client: an IPv4 address, or the upper 64 bits of an IPv6 address, within which one host may choose
/// any address.
struct ClientNetwork: Hashable {
    private let bits: UInt64

    init(_ address: IPAddress) {
        // No client is in ::ffff:0:0/96 read as a /64 of its own: there is room for the IPv4 addresses.
        bits = address.isIPv4 ? 0x0000_ffff_0000_0000 | UInt64(address.v4Bits) : address.high
    }
}

/// A member of an ``EvictionOrder``.
protocol Evictable: AnyObject {
    /// The time of its last datagram.
    var lastActivity: UInt64 { get }
}

/// The members of one table in the order in which they make room for new ones.
///
/// A network that holds more than an eighth of the table, or more than the unassured members of all other networks
/// together, gives way first: its oldest unassured member, then the assured one that is silent. Otherwise the oldest
/// unassured member of the table gives way. So neither a host with many ports nor a flood of forged sources can take
/// the table from the others, and while no network holds that much, assured members stay.
///
/// Insertion, removal and the choice take constant time. Confined to the worker.
struct EvictionOrder<Member: Evictable> {
    /// The index of a member; its owner keeps it for ``assure(_:)`` and ``remove(_:)``.
    typealias Slot = Int32

    private struct Entry {
        /// Nil where the slot is free.
        var member: Member?
        /// The index of its network; `none` where it has none of its own.
        var network: Int32
        var isAssured = false
        /// Its last activity when it was put into the list of its network.
        var seenActivity: UInt64 = 0
    }

    private struct Network {
        var key: ClientNetwork
        var count = 0
        var unassuredCount = 0
        /// Its index in ``ranked``.
        var rank: Int
        /// Its members of either tier, oldest first.
        var unassured = SlotList()
        var assured = SlotList()
    }

    private static var none: Int32 { -1 }
    /// A network with so many members, or fewer, does not give way for the size of its share.
    private static var smallShare: Int { 4 }
    /// The part of the table above which a network gives way first.
    private static var shareDivisor: Int { 8 }
    /// The active members that the search for a silent one passes over.
    private static var maxLooks: Int { 8 }
    /// Arrays that were longer are released when the order is empty.
    private static var keptCapacity: Int { 1024 }

    private var entries: ContiguousArray<Entry> = []
    private var freeEntries: ContiguousArray<Int32> = []
    private var networks: ContiguousArray<Network> = []
    private var freeNetworks: ContiguousArray<Int32> = []
    private var networkIndex: [ClientNetwork: Int32] = [:]
    /// The networks, largest first.
    private var ranked: ContiguousArray<Int32> = []
    /// The number of networks with at least as many members as the index says. Index 0 is not used.
    private var countWithAtLeast: ContiguousArray<Int> = [0]
    /// The unassured members of all networks, oldest first.
    private var unassured = SlotList()
    private var ageLinks = SlotLinks()
    private var networkLinks = SlotLinks()

    private(set) var count = 0
    private(set) var unassuredCount = 0

    // MARK: Members

    /// Adds an unassured member. `network` is nil for a member that belongs to no network of its own.
    mutating func insert(_ member: Member, of network: ClientNetwork?) -> Slot {
        let index = network.map { find($0) } ?? Self.none
        let entry = Entry(member: member, network: index, seenActivity: member.lastActivity)
        let slot: Slot
        if let free = freeEntries.popLast() {
            slot = free
            entries[Int(slot)] = entry
        } else {
            slot = Int32(entries.count)
            entries.append(entry)
            ageLinks.grow()
            networkLinks.grow()
        }
        ageLinks.append(slot, to: &unassured)
        count += 1
        unassuredCount += 1
        if index != Self.none {
            networkLinks.append(slot, to: &networks[Int(index)].unassured)
            networks[Int(index)].unassuredCount += 1
            grow(index)
        }
        return slot
    }

    /// Marks a member as assured: its client has answered a reply.
    mutating func assure(_ slot: Slot) {
        guard slot != Self.none, !entries[Int(slot)].isAssured else { return }
        leaveUnassured(slot)
        entries[Int(slot)].isAssured = true
        let index = Int(entries[Int(slot)].network)
        if index >= 0 {
            note(slot)
            networkLinks.append(slot, to: &networks[index].assured)
        }
    }

    /// Removes a member and makes its slot invalid; does nothing for an invalid slot.
    mutating func remove(_ slot: inout Slot) {
        guard slot != Self.none else { return }
        let index = entries[Int(slot)].network
        if !entries[Int(slot)].isAssured {
            leaveUnassured(slot)
        } else if index != Self.none {
            networkLinks.remove(slot, from: &networks[Int(index)].assured)
        }
        if index != Self.none { shrink(index) }
        entries[Int(slot)].member = nil
        freeEntries.append(slot)
        count -= 1
        slot = Self.none
        if count == 0, entries.count > Self.keptCapacity { self = EvictionOrder() }
    }

    private mutating func leaveUnassured(_ slot: Slot) {
        ageLinks.remove(slot, from: &unassured)
        unassuredCount -= 1
        let index = Int(entries[Int(slot)].network)
        guard index >= 0 else { return }
        networkLinks.remove(slot, from: &networks[index].unassured)
        networks[index].unassuredCount -= 1
    }

    // MARK: Choice

    /// Returns the member that makes room for a new one of `network`; nil where the new one gives way itself.
    mutating func victim(for network: ClientNetwork?) -> Member? {
        guard let largest = ranked.first else { return oldestUnassured }
        let own = network.flatMap { networkIndex[$0] }
        let ownCount = own.map { networks[Int($0)].count } ?? 0
        // With the new member its network would hold most: it makes room within its own.
        let isOwn = network != nil && ownCount + 1 >= networks[Int(largest)].count
        guard let index = isOwn ? own : largest else { return oldestUnassured }
        let crowd = networks[Int(index)]
        guard isLarge(crowd) else { return oldestUnassured }
        if let slot = crowd.unassured.first { return entries[Int(slot)].member }
        // Its assured members do not make room for a new one of their own network, nor does a single one for anything.
        return isOwn || crowd.count < 2 ? nil : silentMember(of: Int(index))
    }

    private var oldestUnassured: Member? { unassured.first.flatMap { entries[Int($0)].member } }

    /// Whether a network holds so much of the table that it gives way before others.
    private func isLarge(_ network: Network) -> Bool {
        network.count > max(Self.smallShare, count / Self.shareDivisor)
            || network.count > unassuredCount - network.unassuredCount
    }

    /// Returns an assured member that was silent since it was put into the list. Active ones go to the end of the list;
    /// the number of looks is bounded, and each look is paid by activity since the last one (the clock algorithm).
    private mutating func silentMember(of index: Int) -> Member? {
        for _ in 0..<Self.maxLooks {
            guard let slot = networks[index].assured.first, let member = entries[Int(slot)].member else { return nil }
            if member.lastActivity == entries[Int(slot)].seenActivity { return member }
            networkLinks.remove(slot, from: &networks[index].assured)
            networkLinks.append(slot, to: &networks[index].assured)
            note(slot)
        }
        return networks[index].assured.first.flatMap { entries[Int($0)].member }
    }

    private mutating func note(_ slot: Slot) {
        entries[Int(slot)].seenActivity = entries[Int(slot)].member?.lastActivity ?? 0
    }

    // MARK: Networks by size

    private mutating func find(_ key: ClientNetwork) -> Int32 {
        if let known = networkIndex[key] { return known }
        let network = Network(key: key, rank: ranked.count)
        let index: Int32
        if let free = freeNetworks.popLast() {
            index = free
            networks[Int(index)] = network
        } else {
            index = Int32(networks.count)
            networks.append(network)
        }
        networkIndex[key] = index
        ranked.append(index)
        return index
    }

    // Networks of one size are adjacent. One that grows is exchanged with the first of its size, one that shrinks with
    // the last: the order holds, and one boundary between sizes moves by one.

    private mutating func grow(_ index: Int32) {
        let size = networks[Int(index)].count + 1
        if size == countWithAtLeast.count { countWithAtLeast.append(0) }
        exchange(index, withRank: countWithAtLeast[size])
        countWithAtLeast[size] += 1
        networks[Int(index)].count = size
    }

    private mutating func shrink(_ index: Int32) {
        let size = networks[Int(index)].count
        countWithAtLeast[size] -= 1
        exchange(index, withRank: countWithAtLeast[size])
        if countWithAtLeast[size] == 0 { countWithAtLeast.removeLast() }
        networks[Int(index)].count = size - 1
        guard size == 1 else { return }
        ranked.removeLast()
        networkIndex[networks[Int(index)].key] = nil
        freeNetworks.append(index)
    }

    private mutating func exchange(_ index: Int32, withRank rank: Int) {
        let old = networks[Int(index)].rank
        let other = ranked[rank]
        ranked.swapAt(old, rank)
        networks[Int(other)].rank = old
        networks[Int(index)].rank = rank
    }
}

/// The first and the last slot of a list whose links are in ``SlotLinks``.
private struct SlotList {
    fileprivate var firstSlot: Int32 = -1
    fileprivate var lastSlot: Int32 = -1

    var first: Int32? { firstSlot < 0 ? nil : firstSlot }
}

/// The links of slots that are each in one list at most. Every operation takes constant time.
private struct SlotLinks {
    private var links: ContiguousArray<(older: Int32, newer: Int32)> = []

    /// Adds a slot.
    mutating func grow() { links.append((-1, -1)) }

    mutating func append(_ slot: Int32, to list: inout SlotList) {
        links[Int(slot)] = (list.lastSlot, -1)
        if list.lastSlot < 0 { list.firstSlot = slot } else { links[Int(list.lastSlot)].newer = slot }
        list.lastSlot = slot
    }

    mutating func remove(_ slot: Int32, from list: inout SlotList) {
        let (older, newer) = links[Int(slot)]
        if older < 0 { list.firstSlot = newer } else { links[Int(older)].newer = newer }
        if newer < 0 { list.lastSlot = older } else { links[Int(newer)].older = older }
        links[Int(slot)] = (-1, -1)
    }
}
