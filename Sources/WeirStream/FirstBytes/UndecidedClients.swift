import NetworkTypes

/// A client in ``UndecidedClients``.
protocol UndecidedMember: AnyObject {
    var position: UndecidedPosition { get set }
}

/// The links of an undecided client in the list of its network. Only ``UndecidedClients`` changes them. They form
/// cycles until the client is removed: weak ones would cost each client an allocation.
struct UndecidedPosition {
    fileprivate var group: UndecidedGroup?
    fileprivate var newer: (any UndecidedMember)?
    fileprivate var older: (any UndecidedMember)?

    init() {}
}

/// The undecided clients of one network, oldest first.
private final class UndecidedGroup {
    let network: IPAddress
    var oldest: (any UndecidedMember)?
    var newest: (any UndecidedMember)?
    var count = 0
    /// Its index among the groups.
    var index = 0

    init(_ network: IPAddress) { self.network = network }
}

/// The undecided clients by network: an IPv4 address, or the upper 64 bits of an IPv6 address. It knows the network
/// with most clients. Insertion, removal and lookup take constant time. Confined to the worker.
struct UndecidedClients {
    private var groups: [IPAddress: UndecidedGroup] = [:]
    /// All groups, the largest first, so that groups of one size are adjacent.
    private var ordered: ContiguousArray<UndecidedGroup> = []
    /// The indices in `ordered` of the groups of each size. It grows to the largest size that there was.
    private var blocks: ContiguousArray<Range<Int>> = [0..<0]
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The oldest client of the network with most clients.
    var oldestOfLargest: (any UndecidedMember)? { ordered.first?.oldest }

    mutating func insert(_ client: any UndecidedMember, at address: IPAddress) {
        let network = Self.network(of: address)
        let group = Self.group(of: network, in: &groups[network])
        if group.count == 0 {
            group.index = ordered.count
            blocks[0] = ordered.count..<ordered.count + 1
            ordered.append(group)
        }
        client.position.group = group
        client.position.older = group.newest
        if let newest = group.newest { newest.position.newer = client } else { group.oldest = client }
        group.newest = client
        count += 1
        grow(group)
    }

    /// Removes a client; does nothing where the client is not in the table.
    mutating func remove(_ client: any UndecidedMember) {
        guard let group = client.position.group else { return }
        let (newer, older) = (client.position.newer, client.position.older)
        if let older { older.position.newer = newer } else { group.oldest = newer }
        if let newer { newer.position.older = older } else { group.newest = older }
        client.position = UndecidedPosition()
        count -= 1
        shrink(group)
        if group.count == 0 {
            groups[group.network] = nil
            blocks[0] = 0..<0
            ordered.removeLast()
        }
    }

    /// All clients, in no order.
    var all: [any UndecidedMember] {
        var result: [any UndecidedMember] = []
        result.reserveCapacity(count)
        for group in ordered {
            var next = group.oldest
            while let client = next {
                result.append(client)
                next = client.position.newer
            }
        }
        return result
    }

    /// Returns the group in a dictionary's slot, which it fills where it is empty.
    private static func group(of network: IPAddress, in slot: inout UndecidedGroup?) -> UndecidedGroup {
        if let group = slot { return group }
        let group = UndecidedGroup(network)
        slot = group
        return group
    }

    private static func network(of address: IPAddress) -> IPAddress {
        address.isIPv4 ? address : IPAddress(high: address.high, low: 0)
    }

    // A group that grows is exchanged with the first group of its size, one that shrinks with the last one: the order
    // holds, and one boundary between sizes moves by one.

    private mutating func grow(_ group: UndecidedGroup) {
        let block = blocks[group.count]
        exchange(group, with: block.lowerBound)
        blocks[group.count] = block.dropFirst()
        group.count += 1
        if group.count == blocks.count { blocks.append(0..<0) }
        let larger = blocks[group.count]
        blocks[group.count] = (larger.isEmpty ? group.index : larger.lowerBound)..<group.index + 1
    }

    private mutating func shrink(_ group: UndecidedGroup) {
        let block = blocks[group.count]
        exchange(group, with: block.upperBound - 1)
        blocks[group.count] = block.dropLast()
        group.count -= 1
        let smaller = blocks[group.count]
        blocks[group.count] = group.index..<(smaller.isEmpty ? group.index + 1 : smaller.upperBound)
    }

    private mutating func exchange(_ group: UndecidedGroup, with index: Int) {
        guard index != group.index else { return }
        ordered.swapAt(group.index, index)
        ordered[group.index].index = group.index
        group.index = index
    }
}
