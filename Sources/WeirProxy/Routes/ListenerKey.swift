import LinuxIO
import NetworkTypes
import WeirConfiguration
import WeirStream

/// What a listener is, whichever route it serves: transport, address and port. Routes may be renamed, re-pointed, or
/// removed and added again; as long as this stays, the sockets stay.
struct ListenerKey: Hashable, Sendable, CustomStringConvertible {
    let transport: WeirStream.Transport
    let address: SocketAddress
    /// One IPv6 socket for both families; the address alone does not tell.
    let isDualStack: Bool

    init(_ listen: WeirStream.ListenAddress) {
        transport = listen.network.transport
        address = listen.address
        isDualStack = listen.isDualStack
    }

    /// `tcp://0.0.0.0:2222`.
    var description: String { "\(transport.rawValue)://\(address)" }

    /// Whether both cannot be bound at once.
    func overlaps(_ other: ListenerKey) -> Bool {
        guard transport == other.transport, address.port == other.address.port else { return false }
        if address == other.address { return true }
        let (mine, theirs) = (address.ip, other.address.ip)
        if mine.isIPv4 == theirs.isIPv4 { return mine.isWildcard || theirs.isWildcard }
        return isDualStack || other.isDualStack
    }
}
