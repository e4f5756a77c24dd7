import LinuxIO
import NetworkTypes

extension Upstream {
    /// The address of a host that is a literal and needs no resolver; ``SocketAddress/unix`` for a Unix socket. Nil for
    /// a name, and for a literal whose interface this machine does not have now: the resolver then looks it up like a
    /// name.
    public var literal: SocketAddress? {
        if case .unix = host { return .unix }
        guard case .address(let address) = host else { return nil }
        return SocketAddress(resolving: address, port: port)
    }
}
