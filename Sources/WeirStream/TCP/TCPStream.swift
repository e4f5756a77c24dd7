import LinuxIO
import NetworkTypes

/// Relays TCP connections from a listening address to an upstream, byte for byte, ends and resets included.
public final class TCPStream: Stream {
    private let core: StreamCore<TCPSettings>

    /// A stream from `tcp://127.0.0.1:8080` (`tcp4`, `tcp6`; `tcp://:8080` for every address) to `localhost:22`.
    /// Nothing is bound yet. Without an engine it runs on ``StreamEngine/shared()``.
    public convenience init(
        listen: String, upstream: String, settings: TCPSettings = TCPSettings(), engine: StreamEngine? = nil
    ) throws(StreamError) {
        let engine = if let engine { engine } else { try StreamEngine.shared() }
        try self.init(
            name: listen, listen: ListenAddress(listen), upstreams: [Upstream(upstream)], settings: settings,
            engine: engine)
    }

    /// A stream with a name for labels and logs, and upstreams that are dialled in their order.
    public init(
        name: String, listen: ListenAddress, upstreams: [Upstream], settings: TCPSettings, engine: StreamEngine
    ) throws(StreamError) {
        core = try StreamCore(
            name: name, listen: listen, transport: .tcp, upstreams: upstreams, settings: settings, engine: engine,
            calls: .init(
                prepare: { worker, plan, serving in await worker.prepare(plan, stream: serving) },
                replace: { worker, plan, stream in await worker.replace(plan, stream: stream) }),
            tcpOptions: { $0 })
    }

    /// See ``Stream/localAddress``.
    public var localAddress: SocketAddress { core.localAddress }

    /// How many connections are open, dialling ones included.
    public var openCount: Int { core.openCount }

    /// Takes the address without serving it: clients wait in the kernel until ``listenAndServe(hooks:)``.
    public func bind() throws(StreamError) { try core.bind() }

    /// See ``Stream/listenAndServe(hooks:)``.
    public func listenAndServe(hooks: StreamHooks) async throws(StreamError) { try await core.serve(hooks) }

    /// Points the same listening sockets elsewhere. New connections follow; those that are open stay as they began.
    /// - Throws: ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``; the stream goes on as it was.
    public func update(
        name: String, upstreams: [Upstream], settings: TCPSettings, hooks: StreamHooks
    ) async throws(StreamError) {
        try await core.update(name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    /// See ``Stream/close(drainTimeout:)``.
    public func close(drainTimeout: Duration) async { await core.close(drainTimeout: drainTimeout) }

    /// See ``Stream/kill()``.
    public func kill() async { await core.kill() }

    /// See ``Stream/waitUntilClosed()``.
    public func waitUntilClosed() async { await core.waitUntilClosed() }
}
