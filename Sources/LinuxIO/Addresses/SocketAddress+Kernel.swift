import CLinux
import NetworkTypes

// The parts that need the kernel, or its interface names.

extension SocketAddress {
    /// Reads `192.0.2.1:80`, `[2001:db8::1]:80` or `[fe80::1%eth0]:80`; nil also where there is no such interface.
    public init?(_ text: String) {
        guard let parts = HostAndPort(text), let address = try? ScopedAddress(parsing: parts.host),
            let port = try? PortNumber.parse(parts.port)
        else { return nil }
        self.init(resolving: address, port: port)
    }

    /// The kernel's form of a configured address, with the index of its interface (if_nametoindex(3)). Nil where there
    /// is no such interface, and for an IPv4 address with one.
    public init?(resolving address: ScopedAddress, port: UInt16) {
        var scope: UInt32 = 0
        if let interface = address.interface {
            guard !address.ip.isIPv4 else { return nil }
            scope = unsafe UInt32(interface) ?? weir_interface_index(interface)
            guard scope != 0 else { return nil }
        }
        self.init(address.ip, port: port, scope: scope)
    }

    init(_ raw: weir_address) {
        self.init(IPAddress(high: raw.high, low: raw.low), port: raw.port, scope: raw.scope)
    }

    var raw: weir_address {
        weir_address(high: ip.high, low: ip.low, scope: scope, port: port, present: 1)
    }
}
