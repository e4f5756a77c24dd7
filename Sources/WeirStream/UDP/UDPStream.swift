import LinuxIO
import NetworkTypes

/// Relays datagrams from a listening address to an upstream and back, a session for each client.
public final class UDPStream: Stream {
    private let core: StreamCore<UDPSettings>

    /// A stream from `udp://127.0.0.1:5353` (`udp4`, `udp6`; `udp://:5353` for every address) to `localhost:53`.
    /// Nothing is bound yet. Without an engine it runs on ``StreamEngine/shared()``.
    public convenience init(
        listen: String, upstream: String, settings: UDPSettings = UDPSettings(), engine: StreamEngine? = nil
    ) throws(StreamError) {
        let engine = if let engine { engine } else { try StreamEngine.shared() }
        try self.init(
            name: listen, listen: ListenAddress(listen), upstreams: [Upstream(upstream)], settings: settings,
            engine: engine)
    }

    /// A stream with a name for labels and logs, and upstreams of which sessions use the first, or the one that a hook chose.
    public init(
        name: String, listen: ListenAddress, upstreams: [Upstream], settings: UDPSettings, engine: StreamEngine
    ) throws(StreamError) {
        core = try StreamCore(
            name: name, listen: listen, transport: .udp, upstreams: upstreams, settings: settings, engine: engine,
            calls: .init(
                prepare: { worker, plan, serving in await worker.prepare(plan, stream: serving) },
                replace: { worker, plan, stream in await worker.replace(plan, stream: stream) }),
            tcpOptions: { _ in nil })
    }

    /// See ``Stream/localAddress``.
    public var localAddress: SocketAddress { core.localAddress }

    /// How many sessions are open.
    public var openCount: Int { core.openCount }

    /// Takes the address without serving it: datagrams wait in the kernel until ``listenAndServe(hooks:)``.
    public func bind() throws(StreamError) { try core.bind() }

    /// See ``Stream/listenAndServe(hooks:)``.
    public func listenAndServe(hooks: StreamHooks) async throws(StreamError) { try await core.serve(hooks) }

    /// Points the same listening sockets elsewhere. New sessions follow; those that are open stay as they began.
    /// - Throws: ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``; the stream goes on as it was.
    public func update(
        name: String, upstreams: [Upstream], settings: UDPSettings, hooks: StreamHooks
    ) async throws(StreamError) {
        try await core.update(name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    /// Serves again while a ``close(drainTimeout:)`` drains: the same sockets, the sessions that are left as they began, and
    /// new ones as it is told here.
    /// - Returns: false where nothing was left; ``waitUntilClosed()`` then returns soon, and the address is free.
    /// - Throws: what ``update(name:upstreams:settings:hooks:)`` throws; the stream goes on draining.
    public func reopen(
        name: String, upstreams: [Upstream], settings: UDPSettings, hooks: StreamHooks
    ) async throws(StreamError) -> Bool {
        try await core.reopen(name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    /// See ``Stream/close(drainTimeout:)``.
    public func close(drainTimeout: Duration) async { await core.close(drainTimeout: drainTimeout) }

    /// See ``Stream/kill()``.
    public func kill() async { await core.kill() }

    /// See ``Stream/waitUntilClosed()``.
    public func waitUntilClosed() async { await core.waitUntilClosed() }
}
