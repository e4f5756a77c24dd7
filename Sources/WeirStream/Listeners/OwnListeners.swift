import LinuxIO
import NetworkTypes

/// Our own listening addresses, for one question: would dialing this address reach ourselves?
struct OwnListeners: Sendable {
    private struct Group: Hashable {
        let transport: Transport
        let port: UInt16
    }

    /// How many streams have each, by transport and port: most dials find no group at all.
    private var counts: [Group: [ListenerKey: Int]] = [:]
    /// Counts the changes, so that an older copy never replaces a newer one.
    private(set) var version = 0
    /// The addresses of this machine's interfaces; every loopback address is ours anyway.
    var interfaceAddresses: Set<IPAddress> = []

    mutating func insert(_ transport: Transport, _ address: SocketAddress) {
        version += 1
        let group = Group(transport: transport, port: address.port)
        counts[group, default: [:]][Self.key(transport, address), default: 0] += 1
    }

    mutating func remove(_ transport: Transport, _ address: SocketAddress) {
        version += 1
        let group = Group(transport: transport, port: address.port)
        let key = Self.key(transport, address)
        guard var keys = counts[group], let count = keys[key] else { return }
        keys[key] = count > 1 ? count - 1 : nil
        counts[group] = keys.isEmpty ? nil : keys
    }

    /// Whether a dial to `address` would come back to us.
    func wouldLoop(_ transport: Transport, _ address: SocketAddress) -> Bool {
        guard let keys = counts[Group(transport: transport, port: address.port)] else { return false }
        let ip = address.ip.dialed
        let dialed = Self.scoped(SocketAddress(ip, port: address.port, scope: address.scope))
        let isLocal = ip.isLoopback || interfaceAddresses.contains(ip)
        return keys.keys.contains { $0.takes(dialed, isLocal: isLocal) }
    }

    /// The addresses, in order, that a dial may go to.
    func withoutLoops(_ transport: Transport, _ addresses: [SocketAddress]) -> ArraySlice<SocketAddress> {
        if !addresses.contains(where: { wouldLoop(transport, $0) }) { return addresses[...] }
        return addresses.filter { !wouldLoop(transport, $0) }[...]
    }

    /// An IPv6 wildcard takes IPv4 too where it is dual-stack; where it is not, calling it ours errs on the safe side
    /// only for a second program on the same port, which the kernel allows for separate families.
    private static func key(_ transport: Transport, _ address: SocketAddress) -> ListenerKey {
        ListenerKey(
            transport, address: scoped(address), port: address.port, isDualStack: address.ip == .anyIPv6)
    }

    private static func scoped(_ address: SocketAddress) -> ScopedAddress {
        ScopedAddress(address.ip, interface: address.scope == 0 ? nil : "\(address.scope)")
    }
}
