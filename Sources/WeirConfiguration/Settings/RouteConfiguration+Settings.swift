import NetworkTypes

// The settings of a route. The order is that of the reference, and of messages that list the keys.
extension RouteConfiguration {
    /// The number of connections, sessions or replies that a route may ask for.
    static let counts = 1...10_000_000

    static let settings: [Setting<RouteConfiguration>] =
        listenerAndUpstreams + nameSettings + tlsSettings + selectionSettings + clientSettings

    private static let listenerAndUpstreams: [Setting<RouteConfiguration>] = [
        Setting(
            "scheme", \.scheme, .scheme, default: "required", required: "a `scheme` such as `tcp` or `udp`",
            page: .routes,
            "`tcp`, `tcp4`, `tcp6`, `udp`, `udp4` or `udp6`: the transport, and the address families of the listener. "
                + "`tcp+udp`, `tcp4+udp4` or `tcp6+udp6` is both; a setting of one transport applies to it alone."),
        Setting(
            "bind", \.bind, .bindAddresses.takingOff(as: []), default: "every address", page: .routes,
            "The IP address to listen on, or a list of them; `::` with `tcp` or `udp` takes both families. TCP routes also "
                + "listen on Unix sockets: `unix:/run/weir/db.sock`, or `unix:@name`, which has no file."),
        Setting(
            "unix_mode", \.tcpSettings.unixMode, .fileMode.takingOff(as: TCPSettings().unixMode), for: .tcp,
            page: .routes,
            "The permissions of the files of such sockets."),
        Setting(
            "freebind", tcp: (\.tcpSettings.isFreeBind, .flag), udp: (\.udpSettings.isFreeBind, .flag), page: .routes,
            "Whether `bind` and `dial_from` may be addresses that this machine does not have yet, such as one of VRRP "
                + "(`IP_FREEBIND`)."),
        Setting(
            "host", \.host, .withAlternative(.host), page: .routes,
            "The upstream: a name, an IP address, or on TCP a Unix socket, `unix:/run/db.sock`. The short form of one "
                + "upstream."),
        Setting(
            "upstreams", \.upstreamList, .withAlternative(.upstreams), default: "`host`", page: .routes,
            "Where to dial, in place of `host`: `[db-1, \"db-2:6432\", {host: db-3, port: 6432}]`, each a name or "
                + "an IP address, with a port of its own or that of `port`, or a Unix socket, `unix:/run/db.sock`."),
        Setting(
            "agent", \.agent, .optional(.agentReference), default: "none", page: .agents,
            "The agent that dials the upstreams, one of `agents`; an upstream may name another one. TCP only."),
        Setting(
            "port", \.ports, .ports, default: "required", required: "a `port` such as `2222:22`", page: .routes,
            "`LISTEN:TARGET`, such as `2222:22`; one number stands for both. Ranges are `30000-30099:40000-40099`, or "
                + "`30000-30099:22` with one target for all; a list has several of these."),
        Setting(
            "dial_from", tcp: (\.tcpSettings.dialFrom, .optional(.dialSource)),
            udp: (\.udpSettings.dialFrom, .optional(.dialSource)), default: "the kernel's choice", page: .routes,
            "The address of this machine that dials and health checks come from, or one for each family: "
                + "`[192.0.2.10, \"2001:db8::10\"]`."),
        Setting(
            "dscp", tcp: (\.tcpSettings.dscp, .optional(.dscp)), udp: (\.udpSettings.dscp, .optional(.dscp)),
            default: "unmarked", page: .routes,
            "The code point (DSCP) of all packets to clients and upstreams: 0 to 63, or a name such as `ef`, `cs1`, "
                + "`af41` or `le`."),
    ]

    private static let clientSettings: [Setting<RouteConfiguration>] = [
        Setting(
            "dial_timeout", \.tcpSettings.dialTimeout, .duration(), for: .tcp, page: .routes,
            "For the whole dial, resolving of names included."),
        Setting(
            "attempt_timeout", tcp: (\.tcpSettings.attemptTimeout, .optional(.duration())),
            udp: (\.udpSettings.attemptTimeout, .optional(.duration())),
            default: "a third of `dial_timeout` (UDP: `pre_dial_timeout`) where other upstreams are left",
            page: .routes,
            "For one upstream: its dial, on UDP the look-up of its name."),
        Setting(
            "idle_timeout", tcp: (\.tcpSettings.idleTimeout, .durationOrOff),
            udp: (\.udpSettings.idleTimeout, .sessionTimeout), page: .routes,
            "Silence in both directions that ends a connection or an assured session; `off` on TCP only."),
        Setting(
            "half_close_timeout", \.tcpSettings.halfCloseTimeout, .duration(), for: .tcp, page: .routes,
            "Silence after one side has finished sending that ends the connection."),
        Setting(
            "keepalive", \.tcpSettings.keepalive,
            .offOrSection(
                Keepalive.section, initial: Keepalive(),
                examples: ["{idle: 60s, interval: 10s, count: 6}", "{idle: 50s}", "off"]), for: .tcp, page: .routes,
            "TCP keepalive probes on both sides, or `off`."),
        Setting(
            "tcp_user_timeout", \.tcpSettings.userTimeout, .durationOrOff, for: .tcp, page: .routes,
            "How long sent data may stay unacknowledged. Kills readers that pause; off unless you need it."),
        Setting(
            "pre_dial_timeout", tcp: (\.tcpSettings.preDialTimeout, .duration()),
            udp: (\.udpSettings.preparationTimeout, .duration()), page: .hooks,
            "How long `pre_dial` may take, waiting for its turn included; on UDP also the first look-up of a name."),
        Setting(
            "max_connections", \.tcpSettings.maxConnections, .optional(.count(counts)), for: .tcp, page: .limits,
            "Connections at once on this route."),
        // The kernel counts in retransmissions of its answer to a SYN: after a few minutes there are no more.
        Setting(
            "defer_accept", \.tcpSettings.deferAccept, .offOr(.wholeSeconds(1...127, example: "3s")), for: .tcp,
            page: .routes,
            "How long the kernel holds a connection back until the client's first byte arrives (`TCP_DEFER_ACCEPT`, "
                + "whole seconds). Breaks protocols in which the server speaks first."),
        Setting(
            "fast_open", \.tcpSettings.fastOpen, .offOr(.count(1...65_535)), for: .tcp, page: .routes,
            "Connections that may bring data before their handshake is over (`TCP_FASTOPEN`); needs bit 2 of "
                + "`net.ipv4.tcp_fastopen`. A client's first bytes may then come twice."),
        Setting(
            "unassured_timeout", \.udpSettings.unassuredTimeout, .duration(), for: .udp, page: .udp,
            "Silence that ends a session whose client has not spoken again after a reply."),
        Setting(
            "max_sessions", \.udpSettings.maxSessions,
            .count(counts).takingOff(as: UDPSettings().maxSessions), for: .udp, page: .udp,
            "The size of the session table; `off` is the default."),
        Setting(
            "responses", \.udpSettings.responses, .optional(.count(counts)), for: .udp, page: .udp,
            "Replies to each datagram of a client. A session ends when all have come, and drops what comes beyond "
                + "them; 1 suits DNS."),
        Setting(
            "dont_fragment", \.udpSettings.dontFragment, .flag, for: .udp, page: .udp,
            "Whether datagrams are never cut into IP fragments: `true` suits QUIC, games and VPNs, which measure the "
                + "path. With `false`, replies are cut where a link takes less, as name servers' are."),
        Setting(
            "amplification", \.udpSettings.amplification, .countOrOff(1...1_000), for: .udp, page: .udp,
            "The bytes that a client gets for each byte that it sent, until it has spoken again after a reply: 3 "
                + "suits QUIC and DTLS (RFC 9000 section 8.1). What is over is dropped. Not for DNS."),
        Setting(
            "acl", \.access, .routeAccess, default: "none", page: .access,
            "`default`, `allow` and `deny` of this route."),
        Setting(
            "proxy_protocol", tcp: (\.tcpSettings.proxyProtocol, .proxyProtocol),
            udp: (\.udpSettings.proxyProtocol, .proxyProtocol), default: "`entrypoint`'s", page: .proxyProtocol,
            "Who sends PROXY headers to this route: the keys of `entrypoint.proxy_protocol`, which it replaces whole."),
        Setting(
            "relay_proxy_protocol_header",
            tcp: (\.tcpSettings.relayedHeader, .words(["true": .v2, "v1": .v1, "v2": .v2], texts: \.rawValue)),
            udp: (
                \.udpSettings.relayedHeader,
                .words(["true": .each, "each": .each, "first": .first, "v2": .each], texts: \.rawValue)
            ),
            inDefaults: .words(
                ["true": .v2, "v1": .v1, "v2": .v2, "each": .v2, "first": .v2], texts: \.rawValue),
            page: .proxyProtocol,
            "The PROXY header that the upstream gets. TCP: `v1`, `v2`, or `true` for v2. UDP: `each`, `v2` or `true` in "
                + "front of every datagram, `first` in front of a session's first one only."),
        Setting(
            "max_connections_per_ip", \.limits.maxConnectionsPerIP, .countOrOff(1...65_535), page: .limits,
            "Connections or sessions of one client at once: of an IPv4 address, or of the /64 of an IPv6 one."),
        Setting(
            "rate_limit", \.limits.rateLimit, .rateLimit, page: .limits,
            "New connections or sessions of one client (address or /64): `10/s`, `600/m`, `5/h`, or "
                + "`{rate: 10/s, burst: 20}`."),
        Setting(
            "bandwidth", \.limits.bandwidth, .bandwidth, page: .limits,
            "Bytes a second: `{ingress: 10MB/s, egress: 512KiB/s, per_connection: {egress: 1MB/s}}`."),
        Setting(
            "pre_dial", \.preDial, .preDial, page: .hooks,
            "A program that lets each client pass or not: `{exec: [PROGRAM, ARGUMENT], concurrency: 16}`."),
    ]

    /// The section under the name of a route, and of `defaults`.
    static let section = Section(settings)
}

extension RouteConfiguration {
    /// The TCP settings, for the table: on a UDP route those that it would have.
    var tcpSettings: TCPSettings {
        get { tcp ?? TCPSettings() }
        set { settings = .tcp(newValue) }
    }

    /// The UDP settings, likewise.
    var udpSettings: UDPSettings {
        get { udp ?? UDPSettings() }
        set { settings = .udp(newValue) }
    }

    /// The upstreams, where `host` cannot say them: the value of `upstreams`.
    var upstreamList: [UpstreamConfiguration]? {
        get { host == nil ? upstreams : nil }
        set { if let newValue { upstreams = newValue } }
    }

}

extension UDPSettings {
    /// The bound on the hook and that on the first look-up of a name, one after the other: `pre_dial_timeout` sets
    /// both.
    var preparationTimeout: Duration {
        get { preDialTimeout }
        set { (preDialTimeout, dialTimeout) = (newValue, newValue) }
    }
}

// MARK: Mappings within a route's settings

extension Keepalive {
    /// The kernel counts both times in whole seconds, up to 32,767, and the probes up to 127 (tcp(7)).
    static let section = Section<Self>([
        Setting("idle", \.idle, .wholeSeconds(1...32_767, example: "60s"), "Silence before the first probe."),
        Setting("interval", \.interval, .wholeSeconds(1...32_767, example: "60s"), "Time between probes."),
        Setting("count", \.count, .count(1...127), "Unanswered probes that end the connection."),
    ])
}

extension RouteAccessConfiguration {
    static let section = Section<Self>([
        Setting(
            "default", \.defaultAction, .withAlternative(.choice),
            "The decision, on this route, over clients that none of its rules matches: `allow` or `deny`."),
        Setting("allow", \.allow, .rules, default: "none", "Rules for who may pass."),
        Setting("deny", \.deny, .rules, default: "none", "Rules for who is turned away."),
    ])
}

extension ProxyProtocolSettings {
    static let section = Section<Self>(
        [
            Setting(
                "mode", \.mode, .choice, required: "a `mode`: `disabled`, `mixed` or `required`",
                "`mixed`: peers in `trusted_proxies` must send a PROXY header, the others pass as they are. "
                    + "`required`: the others are refused. `disabled`: no client's bytes are read as a header."),
            Setting(
                "trusted_proxies", \.trusted, .trustedProxies, default: "none",
                "Addresses and blocks, such as `[10.0.0.0/8, \"2001:db8::7\"]`, of the proxies, and `unix` for clients "
                    + "of Unix sockets; needed for `mixed` and `required`."),
            Setting(
                "datagrams", \.datagrams, .choice,
                "On UDP routes: whether `each` datagram of a trusted peer has the header, or only the `first` one of a "
                    + "session."),
        ],
        check: { settings, section in
            guard section.isGood, settings.mode != .disabled, settings.trustedProxies.isEmpty,
                !settings.trustsUnixSockets
            else { return true }
            section.context.diagnostics.error(
                section.entries["trusted_proxies"]?.origin ?? section.node.origin,
                "\(section.name): mode `\(settings.mode.rawValue)` needs `trusted_proxies` such as `[10.0.0.0/8]`, "
                    + "found none")
            return false
        })
}

extension RateLimit {
    static let section = Section<Self>(
        [
            Setting("rate", \.rate, .rate, default: "required", "How many in which time."),
            Setting(
                "burst", \.burst, .count(1...1_000_000), default: "the count of `rate`",
                "How many at once, after a rest."),
        ],
        check: { _, section in
            // Without a rate an unknown key was perhaps meant to be one, and is reported already.
            guard section.isGood, section.entries["rate"] == nil, case .mapping(let entries) = section.node.content,
                entries.allSatisfy({ $0.key == "burst" })
            else { return section.entries["rate"] != nil }
            section.context.diagnostics.error(
                section.node.origin, "\(section.name): expected a `rate` such as `10/s`, found none")
            return false
        })
}

extension Bandwidth {
    static let section = Section<Self>([
        Setting("ingress", \.total.ingress, .byteRate.takingOff(as: nil), "From clients to the upstream."),
        Setting("egress", \.total.egress, .byteRate.takingOff(as: nil), "From the upstream to clients."),
        Setting(
            "per_connection", \.perConnection,
            .section(ByteRates.section, initial: ByteRates(), examples: ["{egress: 1MB/s}", "{egress: 2MB/s}"])
                .takingOff(as: ByteRates()),
            default: "none", "The same for each connection or session."),
    ])
}

extension ByteRates {
    static let section = Section<Self>([
        Setting("ingress", \.ingress, .byteRate.takingOff(as: nil), "From the client to the upstream."),
        Setting("egress", \.egress, .byteRate.takingOff(as: nil), "From the upstream to the client."),
    ])
}

extension PreDialProgram {
    static let section = Section<Self>([
        Setting(
            "exec", \.command, .command, default: "required", required: "`exec` with a program and its arguments",
            "The program and its arguments."),
        Setting("concurrency", \.concurrency, .count(1...256), "How many may run at once."),
    ])
}
