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

/// An intrusive list of sessions in the order in which they were appended. Insertion, removal and access to the oldest
/// take constant time.
struct SessionList {
    private(set) var first: UDPSession?
    private var last: UDPSession?

    mutating func append(_ session: UDPSession) {
        session.isListed = true
        session.older = last
        if let last { last.newer = session } else { first = session }
        last = session
    }

    /// Removes a session; does nothing where it is not in the list.
    mutating func remove(_ session: UDPSession) {
        guard session.isListed else { return }
        session.isListed = false
        if let older = session.older { older.newer = session.newer } else { first = session.newer }
        if let newer = session.newer { newer.older = session.older } else { last = session.older }
        session.older = nil
        session.newer = nil
    }
}
