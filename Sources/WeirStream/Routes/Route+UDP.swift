import NetworkTypes

/// Relays datagrams from listening addresses to an upstream and back, a session for each client.
public typealias UDPStream = Route<UDPSettings>

extension Route where Settings == UDPSettings {
    /// A stream from `udp://127.0.0.1:5353` (`udp4`, `udp6`; `udp://:5353` for every address) to `localhost:53`
    /// or `udp://localhost:53`. Nothing is bound yet. Without an engine it runs on ``StreamEngine/shared()``.
    public convenience init(
        listen: String, upstream: String, settings: UDPSettings = UDPSettings(), engine: StreamEngine? = nil
    ) throws(StreamError) {
        let engine = if let engine { engine } else { try StreamEngine.shared() }
        let (address, target) = try StreamError.reading { () throws(EndpointError) in
            (try ListenAddress(listen), try Upstream(upstream))
        }
        try self.init(name: listen, listen: address, upstreams: [target], settings: settings, engine: engine)
    }

    /// A stream with a name for labels and logs, and upstreams of which sessions use the first, or the one that a hook chose.
    public convenience init(
        name: String, listen: ListenAddress, upstreams: [Upstream], settings: UDPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(name: name, listen: [listen], upstreams: upstreams, settings: settings, engine: engine)
    }

    /// A stream that listens at several addresses, with one table of sessions' limits and counts for all of them.
    public convenience init(
        name: String, listen: [ListenAddress], upstreams: [Upstream], settings: UDPSettings, engine: StreamEngine
    ) throws(StreamError) {
        try self.init(
            name: name, listen: listen, transport: .udp, upstreams: upstreams, settings: settings, engine: engine,
            operations: WorkerOperations(
                prepare: { await $0.prepare($1, route: $2, listeners: $3) },
                replace: { await $0.replace($1, route: $2) },
                listenerSettings: { _ in nil }))
    }

    /// Serves again while a ``close(drainTimeout:)`` drains: the same sockets, the sessions that are left as they began, and
    /// new ones as it is told here. Nothing new begins before every worker follows that.
    /// - Returns: false where nothing was left; ``waitUntilClosed()`` then returns soon, and the address is free.
    /// - Throws: ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``; the
    ///   stream goes on draining.
    public func reopen(
        name: String, upstreams: [Upstream], settings: UDPSettings, hooks: StreamHooks
    ) async throws(StreamError) -> Bool {
        try Self.check(upstreams, transport)
        await turns.enter()
        defer { turns.leave() }
        guard lifecycle.phase == .closing else { return false }
        let listeners = state.withLock { $0.listeners }
        // Our own address is one that it must not dial.
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
