import NetworkTypes

// The addresses of a route before it serves them.
extension Route {
    /// Binds all addresses, or none of them, without serving them yet: TCP clients wait in the kernel until
    /// ``listenAndServe(hooks:)``. A second call has no effect.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/closed``.
    public func bind() throws(StreamError) { try bind(joining: []) }

    /// Binds all addresses. Those in `joining` overlap listeners of this engine that a change removes: over TCP the old
    /// listener keeps every client until this route serves.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/closed``.
    package func bind(joining: Set<ListenAddress>) throws(StreamError) {
        try underLock { state throws(StreamError) in
            if state.shared != nil { return }
            // Under the lock: an end that is requested later finds the listeners.
            if lifecycle.isEndRequested { throw .closed }
            state.listeners = try bound(state.listen, state.settings, having: state.listeners, joining: joining)
        }
    }

    /// Binds the addresses of these listeners that the route does not have yet, all or none, for the next
    /// ``update(name:listeners:upstreams:settings:hooks:drainTimeout:)``; `joining` as in ``bind(joining:)``.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/closed``.
    package func stage(_ listen: [StreamListener], joining: Set<ListenAddress>) throws(StreamError) {
        try Self.check(listen, transport)
        try underLock { state throws(StreamError) in
            if lifecycle.isEndRequested { throw .closed }
            let present = Set((state.listeners + state.leavingDatagrams).map(\.configured))
            let missing = listen.filter { !present.contains($0.address) }
            state.staged = try bound(missing, state.settings, having: state.staged, joining: joining)
        }
    }

    /// The addresses that are bound for a change, with their real ports.
    package var stagedAddresses: [SocketAddress] { state.withLock { $0.staged.map(\.address) } }

    /// Releases the listeners that were bound for a change which does not come.
    package func unstage() {
        let staged = state.withLock { state in
            defer { state.staged = [] }
            return state.staged
        }
        for listener in staged { listener.release() }
    }

    private func underLock(_ body: (inout State) throws(StreamError) -> Void) throws(StreamError) {
        let result = state.withLock { state -> Result<Void, StreamError> in
            do throws(StreamError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Returns listeners at all of these addresses. It reuses those in `present` and binds the others, or none of them
    /// where it throws.
    func bound(
        _ listen: [StreamListener], _ settings: Settings, having present: [Listener],
        joining: Set<ListenAddress> = []
    ) throws(StreamError) -> [Listener] {
        let options = operations.listenerSettings(settings)
        var present = Dictionary(grouping: present, by: \.configured)
        let missing = listen.count { present[$0.address] == nil }
        // All new listeners alike: clients of some of them would otherwise reach one worker only.
        let socketCount = engine.budget.socketsPerListener(of: missing, workers: engine.workerCount)
        var listeners: [Listener] = []
        listeners.reserveCapacity(listen.count)
        for address in listen.map(\.address) {
            if let known = present[address]?.popLast() {
                listeners.append(known)
                continue
            }
            // A listener that is not returned closes its sockets in its deinitializer.
            listeners.append(
                try Listener(
                    address, settings: options, isFreeBind: operations.isFreeBind(settings), engine: engine,
                    joins: joining.contains(address), wanted: socketCount))
        }
        return listeners
    }
}

extension Route.State {
    /// Whether the listeners are those of `listen`.
    var isBound: Bool { listeners.count == listen.count }

    /// Removed UDP listeners, which keep their sockets until their last session has ended. TCP closes them at once.
    var leavingDatagrams: [Listener] { leaving.filter { $0.configured.network.transport == .udp } }

    /// The shifts of listeners that have one. Removed listeners keep theirs: they may still accept clients that wait.
    var portShifts: [UInt32: UInt16] {
        var shifts = keptShifts
        for (listener, listen) in zip(listeners, listen) where listen.portShift != 0 {
            shifts[listener.number] = listen.portShift
        }
        return shifts
    }
}
