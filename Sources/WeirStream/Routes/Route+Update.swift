import NetworkTypes

/// The difference between a route's listeners and those of its new addresses.
private struct ListenerChange {
    /// The listeners of the new addresses, bound, in order.
    var listeners: [Listener]
    /// The listeners that this change has bound.
    var added: [Listener] = []
    /// UDP only: listeners that were removed earlier, still have sessions, and serve again.
    var returning: [Listener] = []
    var removed: [Listener] = []
}

// Changes of the plan and of the listeners while the route serves.
extension Route {
    /// Applies another plan to the same listeners. New connections and sessions follow it; open ones keep their plan
    /// unless ``StreamHooks/review`` ends them.
    /// - Throws: ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``, ``StreamError/transportMismatch(_:)``.
    ///   After an error the route is unchanged.
    public func update(
        name: String, upstreams: [Upstream], settings: Settings, hooks: StreamHooks
    ) async throws(StreamError) {
        try await change(to: nil, name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    /// Applies another plan and other addresses. Listeners whose address stays keep their sockets and their clients.
    /// Clients of a removed listener may finish, for at most `drainTimeout`. An address that overlaps a removed one
    /// (`0.0.0.0:80` and `192.0.2.1:80`) needs a second update, after the removed listener has ended.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/loop(_:upstream:)``, ``StreamError/noUpstream``,
    ///   ``StreamError/transportMismatch(_:)``. After an error the route is unchanged, with one exception: where a
    ///   worker has no memory to register a bound socket, only that address is missing.
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
            // The removed listeners stay in the list until ``remove(_:drainTimeout:)`` takes them out.
            state.listeners = change.listeners + change.removed
            state.leaving.removeAll { change.returning.contains($0) }
            return []
        }
        for listener in unserved { listener.release() }
        // A route that does not serve yet, or has ended, has no workers to update.
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

    /// Binds the new addresses, or none of them.
    private func bindChange(
        to addresses: [ListenAddress], _ settings: Settings
    ) async throws(StreamError) -> ListenerChange {
        let (present, leaving) = state.withLock { ($0.listeners, $0.leaving) }
        var returning: [Listener] = []
        // A removed TCP listener has closed its sockets; a UDP listener keeps them for its sessions.
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

    // MARK: Removal of listeners

    private func remove(_ listeners: [Listener], drainTimeout: Duration) async {
        if listeners.isEmpty { return }
        state.withLock { state in
            state.listeners.removeAll { listeners.contains($0) }
            state.leaving += listeners.filter { !state.leaving.contains($0) }
        }
        await engine.announce(transport, listeners, isListening: false)
        await drain(listeners, timeout: drainTimeout)
    }

    /// Stops accepting by these listeners on every worker, and only then drains them, as when the route closes.
    private func drain(_ listeners: [Listener], timeout: Duration) async {
        let numbers = listeners.map(\.number)
        for listener in listeners { listener.beginClosing() }
        for worker in engine.workers { await worker.stopAccepting(numbers) }
        for worker in engine.workers { await worker.drain(listeners: numbers, timeout: timeout) }
    }

    /// Releases a removed listener whose clients have ended on every worker.
    func listenerFinished(_ listener: Listener) {
        Task {
            await turns.enter()
            defer { turns.leave() }
            // The listener may serve again, or may have been released with its route.
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
    /// Removes and returns the listeners whose address is not in the list.
    fileprivate mutating func removeUnwanted(_ addresses: [ListenAddress]) -> [Listener] {
        let unwanted = filter { !addresses.contains($0.configured) }
        removeAll { !addresses.contains($0.configured) }
        return unwanted
    }
}
