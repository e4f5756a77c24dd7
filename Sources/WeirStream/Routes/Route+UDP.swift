import NetworkTypes

/// Relays datagrams from listening addresses to an upstream and back, with a session per client.
public typealias UDPStream = Route<UDPSettings>

extension Route where Settings == UDPSettings {
    /// Creates a stream from `udp://127.0.0.1:5353` (`udp4`, `udp6`; `udp://:5353` for every address) to `localhost:53`
    /// or `udp://localhost:53`. It binds nothing yet. Without an engine it runs on ``StreamEngine/shared()``.
    /// - Throws: ``StreamError/invalidListenAddress(_:)``, ``StreamError/invalidUpstream(_:)``,
    ///   ``StreamError/addressFamilyMismatch(_:)``, ``StreamError/transportMismatch(_:)``, ``StreamError/system(_:)``.
    public convenience init(
        listen: String, upstream: String, settings: UDPSettings = UDPSettings(), engine: StreamEngine? = nil
    ) throws(StreamError) {
        let engine = if let engine { engine } else { try StreamEngine.shared() }
        let (address, target) = try StreamError.reading { () throws(EndpointError) in
            (try ListenAddress(listen), try Upstream(upstream))
        }
        try self.init(name: listen, listen: address, upstreams: [target], settings: settings, engine: engine)
    }

    /// Creates a stream with a name for labels and logs. A session uses the first upstream, or the one that a hook
    /// chooses.
    /// - Throws: ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    public convenience init(
        name: String, listen: ListenAddress, upstreams: [Upstream], settings: UDPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(
            name: name, listeners: [StreamListener(listen)], upstreams: upstreams, settings: settings, engine: engine)
    }

    /// Creates a stream that listens at several addresses, whose clients dial the same ports.
    /// - Throws: ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    public convenience init(
        name: String, listen: [ListenAddress], upstreams: [Upstream], settings: UDPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(
            name: name, listeners: listen.map { StreamListener($0) }, upstreams: upstreams, settings: settings,
            engine: engine)
    }

    /// Creates a stream that listens at several addresses, with one set of session limits and counts for all of them.
    /// - Throws: ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    public convenience init(
        name: String, listeners: [StreamListener], upstreams: [Upstream], settings: UDPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(
            name: name, listen: listeners, transport: .udp, upstreams: upstreams, settings: settings, engine: engine,
            operations: WorkerOperations(
                prepare: { await $0.prepare($1, route: $2, listeners: $3) },
                replace: { await $0.replace($1, route: $2) },
                listenerSettings: { _ in nil }, isFreeBind: { $0.isFreeBind }))
    }

    /// Serves again while a ``close(drainTimeout:)`` drains, on the same sockets. Open sessions keep the plan under
    /// which they began; new ones follow these arguments, and begin once every worker follows them.
    /// - Returns: false where the drain has ended; ``waitUntilClosed()`` then returns soon, and the address is free.
    /// - Throws: ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    ///   After an error the stream continues to drain.
    public func reopen(
        name: String, upstreams: [Upstream], settings: UDPSettings, hooks: StreamHooks
    ) async throws(StreamError) -> Bool {
        try Self.check(upstreams, transport)
        await turns.enter()
        defer { turns.leave() }
        guard lifecycle.phase == .closing else { return false }
        let listeners = state.withLock { $0.listeners }
        // The stream must not dial its own addresses: announce them before the check for loops.
        await engine.announce(transport, listeners, isListening: true)
        do throws(StreamError) {
            try checkForLoops(upstreams)
        } catch {
            await engine.announce(transport, listeners, isListening: false)
            throw error
        }
        guard lifecycle.reopen(workers: engine.workerCount) else {
            await engine.announce(transport, listeners, isListening: false)
            return false
        }
        state.withLock { state in
            state.name = name
            state.upstreams = upstreams
            state.settings = settings
        }
        await follow(makePlan(hooks))
        for worker in engine.workers { await worker.resume(route: number) }
        return true
    }
}
