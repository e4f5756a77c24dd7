/// A listener, whichever route it serves: transport, address and port. Networks that bind the very same socket are the
/// same listener.
public struct ListenerKey: Hashable, Sendable {
    /// The transport.
    public let transport: Transport
    /// The address that is bound.
    public let address: ScopedAddress
    /// The port that is bound.
    public let port: UInt16
    /// Whether it is one IPv6 socket for both families; the address alone does not tell.
    public let isDualStack: Bool
    /// The Unix socket, in place of the address and the port; nil for IP.
    public let path: UnixSocketPath?

    /// The listener at an address.
    public init(_ listen: ListenAddress) {
        transport = listen.network.transport
        address = listen.address
        port = listen.port
        isDualStack = listen.isDualStack
        path = listen.path
    }

    /// A listener from its parts.
    public init(_ transport: Transport, address: ScopedAddress, port: UInt16, isDualStack: Bool) {
        self.transport = transport
        self.address = address
        self.port = port
        self.isDualStack = isDualStack
        path = nil
    }

    /// Whether both cannot be bound at once.
    public func overlaps(_ other: ListenerKey) -> Bool {
        if path != nil || other.path != nil { return path == other.path }
        guard transport == other.transport, port == other.port else { return false }
        if address == other.address { return true }
        let (mine, theirs) = (address.ip, other.address.ip)
        if mine.isIPv4 == theirs.isIPv4 { return mine.isWildcard || theirs.isWildcard }
        return isDualStack || other.isDualStack
    }

    /// Whether a dial to the address arrives here. `isLocal` says that the address is one of this machine's.
    public func takes(_ dialed: ScopedAddress, isLocal: Bool) -> Bool {
        if path != nil { return false }
        if address == dialed { return true }
        guard isLocal, address.ip.isWildcard else { return false }
        return isDualStack || address.ip.isIPv4 == dialed.ip.isIPv4
    }
}

extension ListenerKey: CustomStringConvertible {
    /// `tcp://0.0.0.0:2222` or `unix:/run/weir/db.sock`.
    public var description: String { path?.description ?? "\(transport.rawValue)://\(address.bracketed):\(port)" }
}
