import LinuxIO

// PROXY headers in front of the datagrams of trusted peers. In mode `first`, only the datagram that opens a session has
// a header; later ones are payload even if they look like a header, and those that come after the session, or instead
// of one that was refused, are dropped unread (``HeaderedPeers``). So a client behind the proxy cannot change its
// address. In mode `each`, every datagram has one, and the client is part of the session's key.
extension UDPListener {
    /// Gives each datagram of a batch to its session, on a stream that reads PROXY headers.
    func sortWithHeaders(_ count: Int) {
        for index in 0..<count {
            let datagram = core.inbox.datagram(at: index)
            guard let key = sessionKey(of: datagram) else { continue }
            session(of: datagram, key, at: index)?.append(index)
        }
    }

    private func session(of datagram: ReceivedDatagram, _ key: SessionKey, at index: Int) -> UDPSession? {
        let expected = route.settings.proxyProtocol.datagrams
        if expected == .first, let known = sessions[key] { return known }
        switch route.hooks.headerRequirement(of: key.peer, route.settings.proxyProtocol) {
        case .none: return sessions[key] ?? open(key, unlessDenied: nil, at: index)
        case .refused:
            refuse(.untrusted, datagram)
            return nil
        case .header: break
        }
        if expected == .first {
            let mark = headeredMark(key)
            if core.headeredPeers.holds(mark, now: core.loop.now) {
                drop(.staleSession)
                return nil
            }
            // One that could not be remembered is not read.
            guard core.headeredPeers.hasRoom(now: core.loop.now) else {
                drop(.sessionLimit)
                return nil
            }
        }
        switch unsafe ProxyHeaderParser.parse(datagram: datagram.bytes.bindMemory(to: UInt8.self).span) {
        case .complete(let header):
            core.inbox.dropFirst(header.length, at: index)
            route.observer?.proxyHeaderRead(nil, version: header.version, worker: core.index)
            guard expected == .each else { return openRemembered(key, header, at: index) }
            let proxied = ProxiedSessionKey(session: key, client: header.addresses?.source)
            return proxiedSessions[proxied] ?? open(key, unlessDenied: header, at: index)
        case .invalid(let reason):
            refuse(reason, datagram)
        case .incomplete:
            // A datagram is complete: no more bytes follow.
            refuse(.truncated, datagram)
        }
        return nil
    }

    /// Begins the session of a peer that sends no other header, and remembers the peer, whatever comes of it.
    private func openRemembered(_ key: SessionKey, _ header: ProxyHeader, at index: Int) -> UDPSession? {
        let mark = headeredMark(key)
        core.headeredPeers.insert(mark)
        let session = open(key, unlessDenied: header, at: index)
        if session == nil { core.headeredPeers.sessionEnded(mark, now: core.loop.now) }
        return session
    }

    /// The form in which a peer is remembered past its sessions. With our port, not our listener: an address that is
    /// taken away and comes back knows its peers.
    func headeredMark(_ key: SessionKey) -> HeaderedPeers.Mark {
        HeaderedPeers.Mark(key: key, port: bound.address.port)
    }

    /// Begins a session with the datagram at `index`, unless its client was recently denied.
    private func open(_ key: SessionKey, unlessDenied header: ProxyHeader?, at index: Int) -> UDPSession? {
        if isDenied(key, header: header) {
            drop(.acl)
            return nil
        }
        return unsafe open(key, header: header, mark: ChainMark(core.inbox.datagram(at: index).bytes))
    }

    private func refuse(_ reason: ProxyHeaderError, _ datagram: ReceivedDatagram) {
        let excerpt = unsafe ProxyHeaderExcerpt(datagram.bytes.bindMemory(to: UInt8.self).span)
        route.observer?.proxyHeaderFailed(nil, reason: reason, excerpt: excerpt, worker: core.index)
        drop(.error)
    }
}

extension UDPSession {
    /// The session's key where the client is part of it.
    var proxiedKey: ProxiedSessionKey {
        ProxiedSessionKey(session: key, client: context.isNamedByHeader ? context.clientAddress : nil)
    }
}
