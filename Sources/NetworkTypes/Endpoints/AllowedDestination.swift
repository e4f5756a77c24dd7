/// Destinations that an agent may dial: a transport, a block of addresses and a range of ports.
public struct AllowedDestination: Hashable, Sendable {
    /// The transport.
    public let transport: Transport
    /// The addresses.
    public let block: IPPrefix
    /// The ports.
    public let ports: ClosedRange<UInt16>

    /// Joins the parts.
    public init(_ transport: Transport, _ block: IPPrefix, ports: ClosedRange<UInt16>) {
        self.transport = transport
        self.block = block
        self.ports = ports
    }
}

extension AllowedDestination: CustomStringConvertible {
    /// `tcp:127.0.0.1:22`, `tcp:[2001:db8::]/32:8000-8100` or `udp:10.0.0.0/8:53`.
    public var description: String {
        let address = block.isIPv4 ? "\(block.network)" : "[\(block.network)]"
        let length = block.length == (block.isIPv4 ? 32 : 128) ? "" : "/\(block.length)"
        return "\(transport.rawValue):\(address)\(length):\(PortMapping.text(ports))"
    }
}
