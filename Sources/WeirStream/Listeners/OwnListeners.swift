import LinuxIO
import NetworkTypes

/// The listening addresses of the engine, to detect dials that would reach the engine itself.
package struct OwnListeners: Sendable {
    private struct Group: Hashable {
        let transport: Transport
        let port: UInt16
    }

    /// The number of streams at each address, by transport and port: most dials find no group.
    private var counts: [Group: [ListenerKey: Int]] = [:]
    /// The number of streams at each Unix socket.
    private var paths: [UnixSocketPath: Int] = [:]
    /// The number of changes, so that an older copy never replaces a newer one.
    private(set) var version = 0
    /// The addresses of this machine's interfaces. Loopback addresses are local without being in this set.
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

    mutating func insert(_ path: UnixSocketPath) {
        version += 1
        paths[path, default: 0] += 1
    }

    mutating func remove(_ path: UnixSocketPath) {
        version += 1
        guard let count = paths[path] else { return }
        paths[path] = count > 1 ? count - 1 : nil
    }

    /// Whether an upstream, if it is a literal, is a listener of the engine. Paths are compared as they are written.
    func wouldLoop(_ transport: Transport, _ upstream: Upstream) -> Bool {
        if let path = upstream.host.unixPath { return paths[path] != nil }
        return upstream.literal.map { wouldLoop(transport, $0) } ?? false
    }

    /// Whether a dial to `address` would reach a listener of the engine. `isLocal`: the address is known to be one of
    /// this machine.
    package func wouldLoop(_ transport: Transport, _ address: SocketAddress, isLocal: Bool = false) -> Bool {
        if address.isUnix { return false }
        guard let keys = counts[Group(transport: transport, port: address.port)] else { return false }
        let ip = address.ip.dialed
        let dialed = Self.scoped(SocketAddress(ip, port: address.port, scope: address.scope))
        let isLocal = isLocal || isOfThisMachine(ip)
        return keys.keys.contains { $0.takes(dialed, isLocal: isLocal) }
    }

    /// Whether a dial to `address` goes back to the machine of `peer`, as far as addresses tell: they are the same, or
    /// both are of this machine, which has several.
    func goesBack(_ address: IPAddress, to peer: IPAddress) -> Bool {
        address == peer || isOfThisMachine(peer) && isOfThisMachine(address.dialed)
    }

    private func isOfThisMachine(_ ip: IPAddress) -> Bool { ip.isLoopback || interfaceAddresses.contains(ip) }

    /// Returns the addresses, in order, that do not loop.
    func withoutLoops(_ transport: Transport, _ addresses: [SocketAddress]) -> ArraySlice<SocketAddress> {
        if !addresses.contains(where: { wouldLoop(transport, $0) }) { return addresses[...] }
        return addresses.filter { !wouldLoop(transport, $0) }[...]
    }

    /// The key of a listening address. An IPv6 wildcard counts as dual-stack. Where it is not, the only dials refused
    /// in error go to another program on the IPv4 wildcard of the same port.
    private static func key(_ transport: Transport, _ address: SocketAddress) -> ListenerKey {
        ListenerKey(
            transport, address: scoped(address), port: address.port, isDualStack: address.ip == .anyIPv6)
    }

    private static func scoped(_ address: SocketAddress) -> ScopedAddress {
        ScopedAddress(address.ip, interface: address.scope == 0 ? nil : "\(address.scope)")
    }
}
