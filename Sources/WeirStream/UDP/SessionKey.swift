import LinuxIO
import NetworkTypes

/// What makes a session: who writes, and to which of our addresses.
struct SessionKey: Hashable {
    let peer: SocketAddress
    let localIP: IPAddress
    /// The interface of a link-local `localIP`.
    let scope: UInt32
}

/// The same for peers that bring many clients, each named by the header of each datagram. In a table of its own, so that
/// the others' key stays short.
struct ProxiedSessionKey: Hashable {
    let session: SessionKey
    /// Nil where the header names none and the peer speaks for itself: never the same as a client that was given the peer's
    /// address, because rules may judge the two differently.
    let client: SocketAddress?
}

/// Sessions in the order in which they were appended, linked through themselves: appending, removing and finding the
/// oldest cost the same however many there are.
struct SessionList {
    private(set) var first: UDPSession?
    private var last: UDPSession?

    mutating func append(_ session: UDPSession) {
        session.isListed = true
        session.older = last
        if let last { last.newer = session } else { first = session }
        last = session
    }

    /// Does nothing where the session is not in the list.
    mutating func remove(_ session: UDPSession) {
        guard session.isListed else { return }
        session.isListed = false
        if let older = session.older { older.newer = session.newer } else { first = session.newer }
        if let newer = session.newer { newer.older = session.older } else { last = session.older }
        session.older = nil
        session.newer = nil
    }
}
