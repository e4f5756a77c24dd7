import NetworkTypes

// The settings outside of routes. The order is that of the reference, and of messages that list the keys.
extension Configuration {
    static let section = Section<Configuration>([
        Setting(
            group: "exporter", \.exporter, Exporter.section, page: .exporter, "The server that Prometheus scrapes."),
        Setting(
            group: "admin", \.admin, Admin.section, initial: Admin(), page: .live,
            "The socket for `weir status`, `weir kill` and the other commands of operators."),
        Setting(group: "log", \.log, Log.section, page: .logs, "What goes to standard output."),
        Setting(
            "workers", \.workers, .automaticCount(1...64, examples: ["2", "3"]), reload: .restart,
            page: .performance,
            "Event-loop threads, 1 to 64; `auto` is one for each processor that the process may use: its affinity and the "
                + "quota of its cgroup, rounded up."),
        Setting(group: "shutdown", \.shutdown, Shutdown.section, page: .reload, "How the process ends."),
        Setting(group: "limits", \.limits, Limits.section, page: .limits, "Limits of the whole process."),
        .structure("defaults", "Any route field; each route takes what it does not set itself."),
        .structure("routes", "The routes by name, at least one."),
        Setting(
            group: "entrypoint", \.entrypoint, Entrypoint.section, page: .proxyProtocol,
            "What holds for every route's clients."),
        Setting(group: "tls", \.tls, TLSDefaults.section, page: .tls, "What holds for all routes that speak TLS."),
        Setting(
            "agents", \.agents, .agents, default: "none", page: .agents,
            "Agents on other machines, which dial upstreams there, by their names: `{edge-1: {address: "
                + "agent.example.net:8890, bundle: edge-1.zip}}`."),
        Setting(group: "acl", \.access, AccessConfiguration.section, page: .access, "Who may use the routes."),
        Setting(
            group: "geoip", \.geoip, GeoIP.section, initial: GeoIP(database: ""), page: .access,
            "Where addresses are."),
        Setting(
            group: "agent", \.ownAgent, Agent.section, initial: Agent(), page: .agents,
            "The end of tunnels for other Weirs, on one port; needs a build with the trait `TLS`."),
        Setting(
            group: "docker", \.docker, Docker.section, initial: Docker(endpoints: []), page: .containers,
            "Routes from the labels of containers; needs a build with the trait `Docker`."),
    ])
}

extension Configuration.Exporter {
    static let section = Section<Self>([
        Setting(
            "listen", \.listen, .exporterListeners, reload: .restart,
            "IP address and port of `/metrics`, `/healthz` and `/readyz`, or `unix:/run/weir/exporter.sock`, or a "
                + "list of both."),
        Setting("socket_mode", \.socketMode, .fileMode, reload: .restart, "Permissions of its Unix sockets."),
        Setting(
            group: "auth", \.authentication, ExporterAuthentication.section, initial: ExporterAuthentication(),
            "Who may read its pages."),
        Setting(
            group: "tls", \.tls, ExporterTLS.section, initial: .empty,
            "HTTPS at its addresses. Unix sockets stay as they are."),
        Setting(
            "allow", \.allow, .exporterClients, default: "every address",
            "Addresses and blocks, such as `[10.0.0.0/8]`, whose connections are taken; this machine's always are."),
        Setting(
            "hosts", \.hosts, .hostNames, default: "none",
            "Names that requests may be for (`Host`), besides `localhost` and IP addresses: looked at on loopback "
                + "addresses, and on all once there are some."),
        Setting(
            "retired_series_ttl", \.retiredSeriesTTL, .duration(minimum: .zero), reload: .restart,
            "How long counters and histograms of a removed route stay."),
        Setting(
            "max_series", \.maxSeries, .count(1_000...100_000_000, examples: ["2000", "3000"]), reload: .restart,
            "The bound on exposed series."),
        Setting(
            "native_histograms", \.hasNativeHistograms, .flag, reload: .restart,
            "Keep histograms as native ones, too, for scrapers that ask for protobuf."),
        Setting(
            "native_histogram_schema", \.nativeHistogramSchema, .wholeNumber(nativeHistogramSchemas), reload: .restart,
            "How fine: 2^schema buckets to each power of two, -2 to 8."),
    ])
}

extension Configuration.Admin {
    static let section = Section<Self>([
        Setting(
            "listen", \.listen, .optional(.adminSocket), default: "none", required: "a `listen`", reload: .restart,
            "A Unix socket, such as `unix:/run/weir/admin.sock`. Without one there is none."),
        Setting("socket_mode", \.socketMode, .fileMode, reload: .restart, "Permissions of its file."),
    ])
}

extension ExporterAuthentication {
    static let section = Section<Self>(
        [
            Setting(
                "bearer_token_file", \.tokens, .tokenFile, default: "none",
                "A file with a token in each line, any of which opens every page; read again when it changes."),
            Setting(group: "basic", \.basic, Basic.section, "Names with passwords."),
        ],
        check: { _, section in
            section.hasEntries(orSay: "expected a `bearer_token_file` or `basic`, found neither")
        })
}

extension ExporterAuthentication.Basic {
    static let section = Section<Self>(
        [
            Setting(
                "users", \.users, .users, default: "none", "Hashes of passwords by name: yescrypt, bcrypt or SHA-512."),
            Setting(
                "users_file", \.fileUsers, .usersFile, default: "none",
                "A file with `name:hash` in each line, as htpasswd(1) writes it; read again when it changes."),
        ],
        check: { basic, section in
            guard section.hasEntries(orSay: "expected `users` or a `users_file`, found neither"),
                let file = section.entries["users_file"]
            else { return true }
            let twice = basic.fileUsers.filter { user in basic.users.contains { $0.name == user.name } }
            for user in twice {
                section.context.diagnostics.error(
                    file.origin, "`users_file`: the user \(quoted(user.name)) stands in `users`, too")
            }
            return twice.isEmpty
        })
}

extension Section.Checked {
    /// Whether there is a key at all, also one that is unknown, which is told elsewhere.
    func hasEntries(orSay message: String) -> Bool {
        switch node.content {
        case .null: break
        case .mapping(let entries) where entries.isEmpty: break
        case .mapping, .scalar, .sequence, .refused: return true
        }
        context.diagnostics.error(node.origin, "\(name): \(message)")
        return false
    }
}

extension Configuration.Log {
    static let section = Section<Self>([
        Setting("level", \.level, .choice, "`debug`, `info`, `warning` or `error`."),
        Setting("format", \.format, .choice, "`text` or `json`."),
    ])
}

extension Configuration.Shutdown {
    static let section = Section<Self>([
        Setting(
            "delay", \.delay, .duration(minimum: .zero, examples: ["10ms", "20ms"]),
            "How long `/readyz` answers 503 before the listeners close."),
        Setting(
            "drain_timeout", \.drainTimeout, .duration(minimum: .zero),
            "How long open connections and sessions may still run."),
    ])
}

extension Configuration.Limits {
    static let section = Section<Self>([
        Setting(
            "max_connections", \.maxConnections,
            .automaticCount(RouteConfiguration.counts, examples: ["1000", "1001"]), reload: .restart,
            "TCP connections at once in the whole process; `auto` comes from the descriptor limit."),
        Setting(
            "max_sessions", \.maxSessions, .optional(.count(RouteConfiguration.counts)),
            "UDP sessions at once over all routes; beyond it one of any route makes room, as in a full table."),
        Setting(
            "max_connections_per_ip", \.traffic.maxConnectionsPerIP, .countOrOff(1...65_535),
            "TCP connections and UDP sessions of one client at once over all routes."),
        Setting(
            "rate_limit", \.traffic.rateLimit, .rateLimit,
            "As on a route, for what a client opens on all routes together."),
        Setting(
            "bandwidth", \.traffic.bandwidth, .bandwidth, "As on a route, for the bytes of all routes together."),
    ])
}

extension Configuration.Entrypoint {
    static let section = Section<Self>([
        Setting(
            group: "proxy_protocol", \.proxyProtocol, ProxyProtocolSettings.section,
            named: "`entrypoint.proxy_protocol`", "Who sends PROXY headers to the routes.")
    ])
}

extension AccessConfiguration {
    static let section = Section<Self>([
        Setting(
            "default", \.defaultAction, .choice, "The decision over clients that no rule matches: `allow` or `deny`."),
        Setting(
            "allow_local", \.allowLocal, .flag,
            "Whether addresses of private networks pass before the default. Global only."),
        Setting("allow", \.allow, .rules, default: "none", "Rules for who may pass."),
        Setting("deny", \.deny, .rules, default: "none", "Rules for who is turned away."),
        Setting(group: "log", \.log, Log.section, initial: Log(), "Where decisions are logged."),
    ])
}

extension AccessConfiguration.Log {
    static let section = Section<Self>([
        Setting(
            "path", \.path, .logFile, default: "required", required: "a `path`, or `path: stdout`",
            "`stdout`, or a file to append to, opened again on SIGHUP."),
        Setting("log_allowed", \.logAllowed, .flag, "Whether clients that pass are logged too."),
    ])
}

extension Configuration.GeoIP {
    static let section = Section<Self>([
        Setting(
            "database", \.self, .database, default: "none", required: "a `database`",
            "A MaxMind database for rules about countries and time zones; needs a build with the trait `GeoIP`.")
    ])
}
