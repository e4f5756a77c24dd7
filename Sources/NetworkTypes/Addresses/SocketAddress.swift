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
}

extension SocketAddress: CustomStringConvertible {
    /// `192.0.2.1:80` or `[2001:db8::1%2]:80`.
    public var description: String {
        if ip.isIPv4 { return "\(ip):\(port)" }
        return scope == 0 ? "[\(ip)]:\(port)" : "[\(ip)%\(scope)]:\(port)"
    }
}
