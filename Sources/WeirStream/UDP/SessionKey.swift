import LinuxIO
import NetworkTypes

/// The key of a session: the peer, and the local address to which it sends.
struct SessionKey: Hashable {
    let peer: SocketAddress
    let localIP: IPAddress
    /// The interface of a link-local `localIP`.
    let scope: UInt32
}

/// The key of a session whose client is named by the header of each datagram: one peer then has many clients. Such
/// sessions have a table of their own, so that the key of the others stays short.
struct ProxiedSessionKey: Hashable {
    let session: SessionKey
    /// The client of the header; nil where the header names none and the peer is the client. That differs from a client
    /// with the peer's address, because rules may judge the two differently.
    let client: SocketAddress?
}
