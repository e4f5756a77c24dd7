import LinuxIO
import NetworkTypes
import WeirConfiguration
import WeirStream

// From the words of the configuration to those of the engine.

extension WeirStream.TCPSettings {
    init(_ settings: WeirConfiguration.TCPSettings) {
        self.init()
        dialTimeout = settings.dialTimeout
        idleTimeout = settings.idleTimeout
        halfCloseTimeout = settings.halfCloseTimeout
        preDialTimeout = settings.preDialTimeout
        keepalive = settings.keepalive.map {
            WeirStream.Keepalive(idle: $0.idle, interval: $0.interval, count: $0.count)
        }
        userTimeout = settings.userTimeout
        maxConnections = settings.maxConnections
        deferAccept = settings.deferAccept
        fastOpen = settings.fastOpen
        proxyProtocol = ProxyProtocolMode(settings.proxyProtocol.mode)
        relayedHeader = settings.relayedHeader.map { $0 == .v1 ? .v1 : .v2 }
    }
}

extension WeirStream.UDPSettings {
    init(_ settings: WeirConfiguration.UDPSettings) {
        self.init()
        unassuredTimeout = settings.unassuredTimeout
        idleTimeout = settings.idleTimeout
        maxSessions = settings.maxSessions
        responses = settings.responses
        preDialTimeout = settings.preDialTimeout
        // It bounds both, one after the other: what comes before a session's first datagram has left.
        dialTimeout = settings.preDialTimeout
        proxyProtocol = ProxyProtocolMode(settings.proxyProtocol.mode)
        expectedHeaders = settings.proxyProtocol.datagrams == .each ? .each : .first
        relayedHeader = settings.relayedHeader.map { $0 == .each ? .each : .first }
    }
}
