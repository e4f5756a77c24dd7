import LinuxIO
import NetworkTypes

/// A listening address whose traffic goes to upstreams: ``TCPStream`` or ``UDPStream``.
public protocol Stream: AnyObject, Sendable {
    /// Where it listens: after ``listenAndServe(hooks:)`` the bound address with its real port.
    var localAddress: SocketAddress { get }

    /// Binds, and serves until ``close()``. Returns once bound.
    /// - Throws: ``StreamError`` where the address cannot be had; nothing is left half-started.
    func listenAndServe(hooks: StreamHooks) async throws(StreamError)

    /// Refuses new connections or sessions and lets the old ones finish, for at most `drainTimeout`; what is left then
    /// ends as `drained`. Returns when nothing new is taken any more; ``waitUntilClosed()`` waits for the rest.
    func close(drainTimeout: Duration) async

    /// Ends everything now.
    func kill() async

    /// Returns when the last connection or session is gone.
    func waitUntilClosed() async
}

extension Stream {
    /// Closes with half a minute for the old connections to finish.
    public func close() async {
        await close(drainTimeout: .seconds(30))
    }

    /// Binds, and serves with these hooks. See ``StreamHooks`` for what each may do and on which thread it runs.
    public func listenAndServe(
        admit: StreamHooks.Admit? = nil, preDial: StreamHooks.PreDial? = nil, onRead: StreamHooks.OnRead? = nil,
        observer: (any StreamObserver)? = nil
    ) async throws(StreamError) {
        try await listenAndServe(
            hooks: StreamHooks(admit: admit, preDial: preDial, onRead: onRead, observer: observer))
    }
}
