import Glibc
import NetworkTypes

extension Socket {
    /// bind(2) of a socket that is to connect, to the source of its family. connect(2) chooses the port
    /// (`IP_BIND_ADDRESS_NO_PORT`, ip(7)): over TCP one port then serves connections to many peers. With `isFreeBind`
    /// the address may be one that this machine does not have.
    /// - Throws: EADDRNOTAVAIL where the family has no source, and where this machine does not have the address.
    public borrowing func bindSource(_ source: DialSource, isFreeBind: Bool = false) throws(SystemError) {
        let address = family == .ipv6 ? source.ipv6 : source.ipv4
        guard let address, let local = SocketAddress(resolving: address, port: 0) else {
            throw SystemError(.bind, EADDRNOTAVAIL)
        }
        setIfPossible(.bindWithoutPort, 1)
        if isFreeBind { try set(family == .ipv6 ? .freeBindIPv6 : .freeBindIPv4, true) }
        try bind(local)
    }

    /// Marks the packets that leave from now on; nil is the kernel's default. An IPv6 socket also marks those to IPv4
    /// addresses.
    public borrowing func mark(_ dscp: DSCP?) {
        let value = dscp?.trafficClass ?? 0
        setIfPossible(.trafficClassIPv4, value)
        if family == .ipv6 { setIfPossible(.trafficClassIPv6, value) }
    }
}
