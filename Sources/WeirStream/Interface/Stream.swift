import LinuxIO
import NetworkTypes

/// A listening address whose traffic goes to upstreams: ``TCPStream`` or ``UDPStream``.
public protocol Stream: AnyObject, Sendable {
    /// The listening address: after ``listenAndServe(hooks:)`` the bound address with its real port.
    var localAddress: SocketAddress { get }

    /// The fields that name the stream in a log, as in Weir's own log: `protocol` (`tcp` or `udp`), `route` (its name),
    /// `listen` (`tcp4://127.0.0.1:8080`, with the real port once it is bound) and `dst` (its upstreams). Commas
    /// separate several values. They are strings, so that the engine needs no logging package: `mapValues { .string($0)
    /// }` turns them into swift-log's metadata.
    var logMetadata: [String: String] { get }

    /// Binds, and serves until the stream is closed or killed. Returns once every worker serves. A stream serves once
    /// in its life; a failed start may be repeated.
    /// - Throws: ``StreamError/bindFailed(_:_:)`` where the address cannot be bound, ``StreamError/loop(_:upstream:)``
    ///   where an upstream is a listening address of the engine, ``StreamError/closed`` where ``close(drainTimeout:)``
    ///   or ``kill()`` was called before the first worker served, ``StreamError/alreadyStarted``. After an error
    ///   nothing of the stream runs.
    func listenAndServe(hooks: StreamHooks) async throws(StreamError)

    /// Refuses new connections or sessions and lets the open ones finish, for at most `drainTimeout`; the remaining
    /// ones then end as `drained`. Returns when no worker accepts any more; ``waitUntilClosed()`` waits for the open
    /// ones.
    ///
    /// Call it at any time, from any task, and as often as needed: the earliest deadline wins. A stream that does not
    /// serve yet releases its address and never serves. During a start, the call waits until ``listenAndServe(hooks:)``
    /// has thrown ``StreamError/closed`` or returned; in the second case the stream closes at once.
    func close(drainTimeout: Duration) async

    /// Ends every connection and session now, also those that ``close(drainTimeout:)`` lets finish. The other rules of
    /// that call hold here, too.
    func kill() async

    /// Returns when the last connection or session has ended and every resource is released: at once where the stream
    /// does not serve, and after the error where a start fails.
    func waitUntilClosed() async
}

extension Stream {
    /// Closes with a drain time of 30 seconds.
    public func close() async {
        await close(drainTimeout: .seconds(30))
    }

    /// Binds, and serves with these hooks. ``StreamHooks`` describes each hook and its thread.
    /// - Throws: the errors of ``listenAndServe(hooks:)``.
    public func listenAndServe(
        admit: StreamHooks.Admit? = nil, preDial: StreamHooks.PreDial? = nil, onRead: StreamHooks.OnRead? = nil,
        observer: (any StreamObserver)? = nil
    ) async throws(StreamError) {
        try await listenAndServe(
            hooks: StreamHooks(admit: admit, preDial: preDial, onRead: onRead, observer: observer))
    }
}
