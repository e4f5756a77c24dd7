import LinuxIO
import NetworkTypes

/// Our own listening addresses, for one question: would dialling this address reach ourselves?
struct OwnListeners: Sendable {
    private struct Key: Hashable {
        let transport: Transport
        let ip: IPAddress
        let port: UInt16
    }

    private var counts: [Key: Int] = [:]
    /// Counts the changes, so that an older copy never replaces a newer one.
    private(set) var version = 0
    /// The addresses of this machine's interfaces; every loopback address is ours anyway.
    var interfaceAddresses: Set<IPAddress> = []

    mutating func insert(_ transport: Transport, _ address: SocketAddress) {
        version += 1
        counts[Key(transport: transport, ip: address.ip, port: address.port), default: 0] += 1
    }

    mutating func remove(_ transport: Transport, _ address: SocketAddress) {
        version += 1
        let key = Key(transport: transport, ip: address.ip, port: address.port)
        guard let count = counts[key] else { return }
        counts[key] = count > 1 ? count - 1 : nil
    }

    /// Whether a dial to `address` would come back to us.
    func wouldLoop(_ transport: Transport, _ address: SocketAddress) -> Bool {
        // Connecting to a wildcard address means the loopback address of its family.
        var ip = address.ip
        if ip == .anyIPv4 { ip = .loopbackIPv4 }
        if ip == .anyIPv6 { ip = .loopbackIPv6 }
        if has(transport, ip, address.port) { return true }
        guard ip.isLoopback || interfaceAddresses.contains(ip) else { return false }
        // An IPv6 wildcard takes IPv4 too where it is dual-stack; where it is not, calling it ours errs on the safe
        // side only for a second program on the same port, which the kernel allows for separate families.
        return has(transport, ip.isIPv4 ? .anyIPv4 : .anyIPv6, address.port)
            || (ip.isIPv4 && has(transport, .anyIPv6, address.port))
    }

    /// The addresses, in order, that a dial may go to.
    func withoutLoops(_ transport: Transport, _ addresses: [SocketAddress]) -> ArraySlice<SocketAddress> {
        if !addresses.contains(where: { wouldLoop(transport, $0) }) { return addresses[...] }
        return addresses.filter { !wouldLoop(transport, $0) }[...]
    }

    private func has(_ transport: Transport, _ ip: IPAddress, _ port: UInt16) -> Bool {
        counts[Key(transport: transport, ip: ip, port: port)] != nil
    }
}
