import LinuxIO

// PROXY headers in front of the datagrams of trusted peers. In mode `first`, only the datagram that opens a session has
// a header; later ones are payload even if they look like a header, so that a client behind the proxy cannot change its
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
        switch route.hooks.headerDuty(of: key.peer.ip, route.settings.proxyProtocol) {
        case .none: return sessions[key] ?? open(key, unlessDenied: nil)
        case .refused:
            refuse(.untrusted)
            return nil
        case .header: break
        }
        switch unsafe ProxyHeaderParser.parse(datagram: datagram.bytes.bindMemory(to: UInt8.self).span) {
        case .complete(let header):
            core.inbox.dropFirst(header.length, at: index)
            route.observer?.proxyHeaderRead(nil, version: header.version, worker: core.index)
            guard expected == .each else { return open(key, unlessDenied: header) }
            let proxied = ProxiedSessionKey(session: key, client: header.addresses?.source)
            return proxiedSessions[proxied] ?? open(key, unlessDenied: header)
        case .invalid(let reason):
            refuse(reason)
        case .incomplete:
            // A datagram is complete: no more bytes follow.
            refuse(.truncated)
        }
        return nil
    }

    /// Begins a session, unless its client was recently denied.
    private func open(_ key: SessionKey, unlessDenied header: ProxyHeader?) -> UDPSession? {
        if isDenied(key, header: header) {
            drop(.acl)
            return nil
        }
        return open(key, header: header)
    }

    private func refuse(_ reason: ProxyHeaderError) {
        route.observer?.proxyHeaderFailed(nil, reason: reason, worker: core.index)
        drop(.error)
    }
}

extension UDPSession {
    /// The session's key where the client is part of it.
    var proxiedKey: ProxiedSessionKey {
        ProxiedSessionKey(session: key, client: context.isNamedByHeader ? context.clientAddress : nil)
    }
}
