import LinuxIO
import NetworkTypes

/// A listening address whose traffic goes to upstreams: ``TCPStream`` or ``UDPStream``.
public protocol Stream: AnyObject, Sendable {
    /// Where it listens: after ``listenAndServe(hooks:)`` the bound address with its real port.
    var localAddress: SocketAddress { get }

    /// The fields that name the stream in a log, as Weir's own log has them: `protocol` (`tcp` or `udp`), `route` (its name),
    /// `listen` (`tcp4://127.0.0.1:8080`, with the real port once it is bound) and `dst` (its upstreams); several have commas
    /// between. Plain texts, so that the engine needs no logging package: `mapValues { .string($0) }` makes swift-log's metadata of
    /// them.
    var logMetadata: [String: String] { get }

    /// Binds, and serves until it is closed or killed. Returns once it serves. A stream serves once in its life; a start
    /// that failed may be tried again.
    /// - Throws: ``StreamError/bindFailed(_:_:)`` or ``StreamError/loop(_:upstream:)`` where the address cannot be had;
    ///   ``StreamError/closed`` where ``close(drainTimeout:)`` or ``kill()`` came before the first worker served,
    ///   ``StreamError/alreadyStarted``. Whatever it throws, nothing is left half-started.
    func listenAndServe(hooks: StreamHooks) async throws(StreamError)

    /// Refuses new connections or sessions and lets the old ones finish, for at most `drainTimeout`; those left then end
    /// as `drained`. Returns when nothing new is taken any more; ``waitUntilClosed()`` waits for the rest.
    ///
    /// May be called at any time and from any task, more than once: of several drain times the shortest counts. A stream
    /// that does not serve yet gives up its address and never will serve. A start that is under way ends first: it
    /// throws ``StreamError/closed``, or returns, and the stream ends as if it had served for a moment.
    func close(drainTimeout: Duration) async

    /// Ends everything now, also what a ``close(drainTimeout:)`` lets finish. Otherwise as that.
    func kill() async

    /// Returns when the last connection or session is gone and everything is released: at once where the stream does not
    /// serve, after the failure of a start that fails.
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
