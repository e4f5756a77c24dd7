package import NetworkTypes

/// A stream in the reload of a configuration, whatever its transport: its addresses are taken in one step, before
/// anything changes, and given up in another.
package protocol ReloadableStream: Stream {
    /// The addresses that it has, with their real ports.
    var localAddresses: [SocketAddress] { get }
    /// The addresses that ``stage(_:joining:)`` took, with their real ports.
    var stagedAddresses: [SocketAddress] { get }
    /// The addresses of removed listeners whose sockets are still open: of UDP, until their last session has ended.
    var leavingAddresses: [ListenAddress] { get }

    /// Takes its addresses without serving them yet; those in `joining` beside listeners of ours that a reload removes.
    func bind(joining: Set<ListenAddress>) throws(StreamError)

    /// Takes the addresses that an update will add, likewise.
    func stage(_ listen: [StreamListener], joining: Set<ListenAddress>) throws(StreamError)

    /// Gives up what ``stage(_:joining:)`` took.
    func unstage()

    /// Removes listeners. Their clients may finish, for at most `drainTimeout`.
    func remove(_ addresses: Set<ListenAddress>, drainTimeout: Duration) async

    /// Ends the clients of removed listeners at these addresses, so that another route can have the addresses.
    func endLeaving(_ addresses: Set<ListenAddress>) async

    /// Ends what it has at hosts that are gone for good, and lets dials to them go on with the next upstream.
    func leave(_ gone: [GoneHost]) async

    /// Checks that no literal upstream, for a client of any of `listen`, is one of these addresses.
    /// - Throws: ``StreamError/loop(_:upstream:)``.
    func checkForLoops(
        _ upstreams: [Upstream], listen: [StreamListener], among listeners: OwnListeners
    ) throws(StreamError)
}

extension Route: ReloadableStream {}
