/// An IP address with a port, and for link-local IPv6 its interface. A small value without references,
/// so that it can be a table key on the data path.
public struct SocketAddress: Hashable, Sendable {
    /// The address.
    public var ip: IPAddress
    /// The interface index of a scoped IPv6 address (RFC 4007), else 0.
    public var scope: UInt32
    /// The port, in host byte order.
    public var port: UInt16

    /// An address with a port.
    public init(_ ip: IPAddress, port: UInt16, scope: UInt32 = 0) {
        self.ip = ip
        self.port = port
        self.scope = scope
    }

    /// A Unix socket (unix(7)), which has no address: a value that the kernel never gives to an IP socket.
    public static let unix = SocketAddress(.anyIPv6, port: 0, scope: .max)

    /// Whether it is a Unix socket, and no IP address.
    public var isUnix: Bool { scope == .max && port == 0 && ip == .anyIPv6 }
}

extension SocketAddress: CustomStringConvertible {
    /// `192.0.2.1:80`, `[2001:db8::1%2]:80` or `unix`.
    public var description: String {
        if isUnix { return "unix" }
        if ip.isIPv4 { return "\(ip):\(port)" }
        return scope == 0 ? "[\(ip)]:\(port)" : "[\(ip)%\(scope)]:\(port)"
    }
}
