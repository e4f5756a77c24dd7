import NetworkTypes

/// The difference between the listeners that a route has and those that it shall have.
private struct ListenerChange {
    /// All that are wanted and bound, in order.
    var listeners: [Listener]
    /// Bound just now.
    var added: [Listener] = []
    /// UDP only: removed earlier, wanted again, and still there for the sessions that they have left.
    var returning: [Listener] = []
    var removed: [Listener] = []
}

// Other plans and other listeners, while the route serves.
extension Route {
    /// Points the same listeners elsewhere. New connections and sessions follow; those that are open stay as they began,
    /// unless ``StreamHooks/review`` ends them.
    /// - Throws: ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``; the
    ///   route goes on as it was.
    public func update(
        name: String, upstreams: [Upstream], settings: Settings, hooks: StreamHooks
    ) async throws(StreamError) {
        try await change(to: nil, name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    /// Goes over to another plan and other addresses. Listeners whose address stays keep their sockets, and what came by
    /// them goes on. Those that came by a removed one may finish, for at most `drainTimeout`. An address that overlaps a
    /// removed one (`0.0.0.0:80` for `192.0.2.1:80`) can be had only by a second update, once the first one is gone.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``,
    ///   ``StreamError/transportMismatch(_:)``; the route goes on as it was. Only where the system had no memory left for
    ///   a bound address, all is done but that.
    public func update(
        name: String, listen: [ListenAddress], upstreams: [Upstream], settings: Settings, hooks: StreamHooks,
        drainTimeout: Duration = .seconds(30)
    ) async throws(StreamError) {
        try Self.check(listen, transport)
        try await change(
            to: (listen, drainTimeout), name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    private func change(
        to listen: (addresses: [ListenAddress], drainTimeout: Duration)?, name: String, upstreams: [Upstream],
        settings: Settings, hooks: StreamHooks
    ) async throws(StreamError) {
        try Self.check(upstreams, transport)
        await turns.enter()
        defer { turns.leave() }
        let phase = lifecycle.phase
        var change = ListenerChange(listeners: state.withLock { $0.listeners })
        if phase == .serving, let listen { change = try await bindChange(to: listen.addresses, settings) }
        await engine.announce(transport, change.added + change.returning, isListening: true)
        do throws(StreamError) {
            try checkForLoops(upstreams)
        } catch {
            await engine.announce(transport, change.added, isListening: false)
            for listener in change.added { listener.release() }
            await remove(change.returning, drainTimeout: listen?.drainTimeout ?? .zero)
            throw error
        }
        let unserved = state.withLock { state in
            state.name = name
            state.upstreams = upstreams
            state.settings = settings
            guard let listen, phase == .serving || phase == .created else { return [] as [Listener] }
            state.addresses = listen.addresses
            if phase == .created { return state.listeners.removeUnwanted(listen.addresses) }
            // Those that go are still among them: ``remove(_:drainTimeout:)`` takes them out.
            state.listeners = change.listeners + change.removed
            state.leaving.removeAll { change.returning.contains($0) }
            return []
        }
        for listener in unserved { listener.release() }
        // One that has not begun, or has ended, follows nothing.
        guard phase == .serving || phase == .closing else { return }
        for worker in engine.workers { await worker.add(change.added, to: number) }
        await follow(makePlan(hooks))
        let numbers = change.returning.map(\.number)
        for worker in engine.workers { await worker.resume(listeners: numbers) }
        await remove(change.removed, drainTimeout: listen?.drainTimeout ?? .zero)
        for listener in change.added {
            guard let error = await listener.serve() else { continue }
            await remove([listener], drainTimeout: .zero)
            state.withLock { $0.addresses = $0.listeners.map(\.configured) }
            throw .bindFailed(listener.configured, error)
        }
    }

    /// Binds the addresses that are not there yet, or none of them.
    private func bindChange(
        to addresses: [ListenAddress], _ settings: Settings
    ) async throws(StreamError) -> ListenerChange {
        let (present, leaving) = state.withLock { ($0.listeners, $0.leaving) }
        var returning: [Listener] = []
        // The sockets of TCP listeners that leave are closed: only the sessions of UDP need theirs to the end.
        for listener in leaving where transport == .udp && addresses.contains(listener.configured) {
            if listener.reopen() { returning.append(listener) } else { await forget(listener) }
        }
        let listeners: [Listener]
        do throws(StreamError) {
            listeners = try bound(addresses, settings, having: present + returning)
        } catch {
            await drain(returning, timeout: .seconds(30))
            throw error
        }
        let known = present + returning
        return ListenerChange(
            listeners: listeners, added: listeners.filter { !known.contains($0) }, returning: returning,
            removed: present.filter { !listeners.contains($0) })
    }

    // MARK: Listeners that go

    private func remove(_ listeners: [Listener], drainTimeout: Duration) async {
        if listeners.isEmpty { return }
        state.withLock { state in
            state.listeners.removeAll { listeners.contains($0) }
            state.leaving += listeners.filter { !state.leaving.contains($0) }
        }
        await engine.announce(transport, listeners, isListening: false)
        await drain(listeners, timeout: drainTimeout)
    }

    /// First no worker accepts any more by them, and only then may their clients end: as where the route closes.
    private func drain(_ listeners: [Listener], timeout: Duration) async {
        let numbers = listeners.map(\.number)
        for listener in listeners { listener.beginClosing() }
        for worker in engine.workers { await worker.stopAccepting(numbers) }
        for worker in engine.workers { await worker.drain(listeners: numbers, timeout: timeout) }
    }

    /// What came by a removed listener has ended on every worker.
    func listenerFinished(_ listener: Listener) {
        Task {
            await turns.enter()
            defer { turns.leave() }
            // It may have been taken up again, or forgotten with its route.
            if listener.hasEnded { await forget(listener) }
        }
    }

    private func forget(_ listener: Listener) async {
        let isLeaving = state.withLock { state in
            let index = state.leaving.firstIndex { $0 === listener }
            if let index { state.leaving.remove(at: index) }
            return index != nil
        }
        guard isLeaving else { return }
        for worker in engine.workers { await worker.forget(listeners: [listener.number]) }
        listener.release()
    }
}

extension [Listener] {
    /// Takes out those whose address is none of these.
    fileprivate mutating func removeUnwanted(_ addresses: [ListenAddress]) -> [Listener] {
        let unwanted = filter { !addresses.contains($0.configured) }
        removeAll { !addresses.contains($0.configured) }
        return unwanted
    }
}
