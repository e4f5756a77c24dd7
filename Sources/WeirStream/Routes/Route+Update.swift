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
        name: String, listeners: [StreamListener], upstreams: [Upstream], settings: Settings, hooks: StreamHooks,
        drainTimeout: Duration = .seconds(30)
    ) async throws(StreamError) {
        try Self.check(listeners, transport)
        try await change(
            to: (listeners, drainTimeout), name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    /// Applies another plan and other addresses, without a shift of the upstreams' ports. See
    /// ``update(name:listeners:upstreams:settings:hooks:drainTimeout:)``.
    public func update(
        name: String, listen: [ListenAddress], upstreams: [Upstream], settings: Settings, hooks: StreamHooks,
        drainTimeout: Duration = .seconds(30)
    ) async throws(StreamError) {
        try await update(
            name: name, listeners: listen.map { StreamListener($0) }, upstreams: upstreams, settings: settings,
            hooks: hooks, drainTimeout: drainTimeout)
    }

    private func change(
        to listen: (listeners: [StreamListener], drainTimeout: Duration)?, name: String, upstreams: [Upstream],
        settings: Settings, hooks: StreamHooks
    ) async throws(StreamError) {
        try Self.check(upstreams, transport)
        await turns.enter()
        defer { turns.leave() }
        let phase = lifecycle.phase
        var change = ListenerChange(listeners: state.withLock { $0.listeners })
        if phase == .serving, let listen { change = try await bindChange(to: listen.listeners, settings) }
        await engine.announce(transport, change.added + change.returning, isListening: true)
        do throws(StreamError) {
            try checkForLoops(upstreams, listen: listen?.listeners)
        } catch {
            await engine.announce(transport, change.added, isListening: false)
            for listener in change.added { listener.release() }
            await remove(change.returning, drainTimeout: listen?.drainTimeout ?? .zero)
            throw error
        }
        let returned = Set(change.returning.map(\.number))
        let unserved = state.withLock { state in
            state.name = name
            state.upstreams = upstreams
            state.settings = settings
            guard let listen, phase == .serving || phase == .created else { return [] as [Listener] }
            state.keepShifts(of: change.removed)
            state.listen = listen.listeners
            if phase == .created { return state.listeners.removeUnwanted(listen.listeners) }
            // The removed listeners stay in the list until ``remove(_:drainTimeout:)`` takes them out.
            state.listeners = change.listeners + change.removed
            state.leaving.removeAll { returned.contains($0.number) }
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
        let failures = await Listener.serve(change.added, on: engine)
        guard let first = failures.first else { return }
        await remove(failures.map(\.listener), drainTimeout: .zero)
        throw .bindFailed(first.listener.configured, first.error)
    }

    /// Binds the new addresses, or none of them. Staged listeners that are not among them are released.
    private func bindChange(
        to listen: [StreamListener], _ settings: Settings
    ) async throws(StreamError) -> ListenerChange {
        let (present, leaving) = state.withLock { ($0.listeners, $0.leavingDatagrams) }
        let addresses = Set(listen.map(\.address))
        var returning: [Listener] = []
        for listener in leaving where addresses.contains(listener.configured) {
            if listener.reopen() { returning.append(listener) } else { await forget(listener) }
        }
        let staged = state.withLock { state in
            defer { state.staged = [] }
            return state.staged
        }
        let listeners: [Listener]
        do throws(StreamError) {
            listeners = try bound(listen, settings, having: present + returning + staged)
        } catch {
            for listener in staged { listener.release() }
            await drain(returning, timeout: .seconds(30))
            throw error
        }
        let known = Set((present + returning).map(\.number))
        let wanted = Set(listeners.map(\.number))
        for listener in staged where !wanted.contains(listener.number) { listener.release() }
        return ListenerChange(
            listeners: listeners, added: listeners.filter { !known.contains($0.number) }, returning: returning,
            removed: present.filter { !wanted.contains($0.number) })
    }

    /// Removes listeners. Their clients may finish, for at most `drainTimeout`.
    package func remove(_ addresses: Set<ListenAddress>, drainTimeout: Duration) async {
        await turns.enter()
        defer { turns.leave() }
        let phase = lifecycle.phase
        guard phase == .serving || phase == .closing else { return }
        let removed = state.withLock { state in
            let removed = state.listeners.filter { addresses.contains($0.configured) }
            state.keepShifts(of: removed)
            return removed
        }
        await remove(removed, drainTimeout: drainTimeout, isAnnounced: phase == .serving)
    }

    /// Ends the clients of removed listeners at these addresses, so that another route can have the addresses.
    package func endLeaving(_ addresses: Set<ListenAddress>) async {
        await turns.enter()
        defer { turns.leave() }
        let numbers = state.withLock { state in
            state.leavingDatagrams.filter { addresses.contains($0.configured) }.map(\.number)
        }
        if numbers.isEmpty { return }
        for worker in engine.workers { await worker.drain(listeners: numbers, timeout: .zero) }
    }

    /// The addresses of removed UDP listeners that still have sessions.
    package var leavingAddresses: [ListenAddress] { state.withLock { $0.leavingDatagrams.map(\.configured) } }

    // MARK: Removal of listeners

    /// Removes listeners; a route that closes has taken back their announcement already.
    private func remove(_ listeners: [Listener], drainTimeout: Duration, isAnnounced: Bool = true) async {
        if listeners.isEmpty { return }
        let removed = Set(listeners.map(\.number))
        state.withLock { state in
            let addresses = Set(listeners.map(\.configured))
            state.listeners.removeAll { removed.contains($0.number) }
            state.listen = state.isBound ? state.listen : state.listen.filter { !addresses.contains($0.address) }
            state.leaving.removeAll { removed.contains($0.number) }
            state.leaving += listeners
        }
        if isAnnounced { await engine.announce(transport, listeners, isListening: false) }
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
            state.keptShifts[listener.number] = nil
            return index != nil
        }
        guard isLeaving else { return }
        for worker in engine.workers { await worker.forget(listeners: [listener.number]) }
        listener.release()
    }
}

extension Route.State {
    /// Notes the shifts of listeners, before they are removed.
    fileprivate mutating func keepShifts(of removed: [Listener]) {
        let shifts = portShifts
        for listener in removed { keptShifts[listener.number] = shifts[listener.number] }
    }
}

extension [Listener] {
    /// Removes and returns the listeners whose address is not in the list.
    fileprivate mutating func removeUnwanted(_ listen: [StreamListener]) -> [Listener] {
        let wanted = Set(listen.map(\.address))
        let unwanted = filter { !wanted.contains($0.configured) }
        removeAll { !wanted.contains($0.configured) }
        return unwanted
    }
}
