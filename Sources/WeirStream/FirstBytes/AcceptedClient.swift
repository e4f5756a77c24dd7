import LinuxIO
import NetworkTypes

/// A client that a shared listener has accepted, on its way to the route that takes it over. Its descriptors are taken
/// from the process's budget.
struct AcceptedClient: ~Copyable {
    var endpoint: RelayEndpoint
    /// The token under which its socket is registered; nil where it is not yet.
    var registration: EventToken?
    /// The peer's address.
    let address: SocketAddress
    /// The PROXY header that the listener has read.
    var header: ProxyHeader?
    /// The share of limits that the listener's hook has taken for it, ahead of the route's hooks.
    var reservation: (any AnyObject & Sendable)?

    /// The client's address: the effective one, after a PROXY header.
    var clientAddress: SocketAddress { header?.addresses?.source ?? address }

    init(_ endpoint: consuming RelayEndpoint, _ address: SocketAddress) {
        self.endpoint = endpoint
        self.address = address
    }

    /// Returns the client and leaves only its address and its header here.
    mutating func take() -> AcceptedClient {
        var taken = AcceptedClient(endpoint.take(), address)
        taken.registration = registration
        taken.header = header
        taken.reservation = reservation
        registration = nil
        reservation = nil
        return taken
    }
}
