import NetworkTypes

/// Relays TCP connections from listening addresses to an upstream, byte for byte, ends and resets included.
public typealias TCPStream = Route<TCPSettings>

extension Route where Settings == TCPSettings {
    /// Creates a stream from `tcp://127.0.0.1:8080` (`tcp4`, `tcp6`; `tcp://:8080` for every address) to `localhost:22`
    /// or `tcp://localhost:22`. It binds nothing yet. Without an engine it runs on ``StreamEngine/shared()``.
    /// - Throws: ``StreamError/invalidListenAddress(_:)``, ``StreamError/invalidUpstream(_:)``,
    ///   ``StreamError/addressFamilyMismatch(_:)``, ``StreamError/transportMismatch(_:)``, ``StreamError/system(_:)``.
    public convenience init(
        listen: String, upstream: String, settings: TCPSettings = TCPSettings(), engine: StreamEngine? = nil
    ) throws(StreamError) {
        let engine = if let engine { engine } else { try StreamEngine.shared() }
        let (address, target) = try StreamError.reading { () throws(EndpointError) in
            (try ListenAddress(listen), try Upstream(upstream))
        }
        try self.init(name: listen, listen: address, upstreams: [target], settings: settings, engine: engine)
    }

    /// Creates a stream with a name for labels and logs, and upstreams that are dialed in their order.
    /// - Throws: ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    public convenience init(
        name: String, listen: ListenAddress, upstreams: [Upstream], settings: TCPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(
            name: name, listeners: [StreamListener(listen)], upstreams: upstreams, settings: settings, engine: engine)
    }

    /// Creates a stream that listens at several addresses, whose clients dial the same ports.
    /// - Throws: ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    public convenience init(
        name: String, listen: [ListenAddress], upstreams: [Upstream], settings: TCPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(
            name: name, listeners: listen.map { StreamListener($0) }, upstreams: upstreams, settings: settings,
            engine: engine)
    }

    /// Ends every connection to an upstream that is out, as ``ConnectionCloseReason/upstreamDown``, those of earlier
    /// configurations included. Dials in progress go on.
    public func endConnections(to upstream: Upstream) async {
        for worker in engine.workers { await worker.endConnections(to: upstream, route: number) }
    }

    /// Creates a stream that listens at several addresses, with one set of limits and counts for all of them.
    /// - Throws: ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    public convenience init(
        name: String, listeners: [StreamListener], upstreams: [Upstream], settings: TCPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(
            name: name, listen: listeners, transport: .tcp, upstreams: upstreams, settings: settings, engine: engine,
            operations: WorkerOperations(
                prepare: { await $0.prepare($1, route: $2, listeners: $3) },
                replace: { await $0.replace($1, route: $2) },
                listenerSettings: { ListenerSettings(ofOwnListeners: $0) }, isFreeBind: { $0.isFreeBind }))
    }
}
