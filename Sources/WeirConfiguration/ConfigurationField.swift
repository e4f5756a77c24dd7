/// A key that a configuration file may have. The table of all of them drives the check for unknown keys, the
/// suggestions, and the reference in the README.
struct ConfigurationField {
    /// The mapping in which the key stands.
    enum Section: String {
        case top = ""
        case exporter
        case exporterAuth = "exporter.auth"
        case exporterBasic = "exporter.auth.basic"
        case log, shutdown, limits, acl
        case aclLog = "acl.log"
        case geoip
        case route
        case keepalive
        case routeACL
        case rateLimit = "rate_limit"
        case bandwidth
        case perConnection = "per_connection"
        case preDial = "pre_dial"
        case entrypoint
        /// Wherever it stands: its keys are the same.
        case proxyProtocol = "entrypoint.proxy_protocol"
    }

    /// Why a key that the design names is still refused.
    enum Support {
        case supported
        /// Ignoring it would only lose a function.
        case later
        /// Ignoring it would let in whom it was written to keep out.
        case laterAndProtects
    }

    let section: Section
    let key: String
    /// For route keys: the transports that have it.
    let transports: [Transport]
    let defaultText: String
    let meaning: String
    let support: Support

    private init(
        _ section: Section, _ key: String, _ transports: [Transport] = Transport.allCases,
        default defaultText: String = "", _ meaning: String = "", support: Support = .supported
    ) {
        self.section = section
        self.key = key
        self.transports = transports
        self.defaultText = defaultText
        self.meaning = meaning
        self.support = support
    }

    /// The keys of a section, in the order of the reference.
    static func fields(of section: Section) -> [ConfigurationField] {
        all.filter { $0.section == section }
    }

    static let all: [ConfigurationField] = [
        ConfigurationField(.top, "exporter", default: "", "The server that Prometheus scrapes."),
        ConfigurationField(.top, "log", default: "", "What goes to standard output."),
        ConfigurationField(
            .top, "workers", default: "`auto`",
            "Event-loop threads, 1 to 64; `auto` is one for each core. Fixed for the life of the process."),
        ConfigurationField(.top, "shutdown", default: "", "How the process ends."),
        ConfigurationField(.top, "limits", default: "", "Limits of the whole process."),
        ConfigurationField(
            .top, "defaults", default: "", "Any route field; each route takes what it does not set itself."),
        ConfigurationField(.top, "routes", default: "", "The routes by name, at least one."),
        ConfigurationField(.top, "entrypoint", default: "", "What holds for every route's clients."),
        ConfigurationField(.top, "acl", default: "", "Who may use the routes."),
        ConfigurationField(.top, "geoip", default: "", "Where addresses are."),
        ConfigurationField(.top, "docker", support: .later),

        ConfigurationField(
            .exporter, "listen", default: "`127.0.0.1:9847`",
            "IP address and port of `/metrics`, `/healthz` and `/readyz`, or `unix:/run/weir/exporter.sock`, or a list of "
                + "both. Fixed for the life of the process."),
        ConfigurationField(
            .exporter, "socket_mode", default: "`0660`",
            "Permissions of its Unix sockets. Fixed for the life of the process."),
        ConfigurationField(.exporter, "auth", default: "", "Who may read its pages."),
        ConfigurationField(
            .exporterAuth, "bearer_token_file", default: "none",
            "A file with a token in each line, any of which opens every page; read again when it changes."),
        ConfigurationField(.exporterAuth, "basic", default: "", "Names with passwords."),
        ConfigurationField(
            .exporterBasic, "users", default: "none", "Hashes of passwords by name: yescrypt, bcrypt or SHA-512."),
        ConfigurationField(
            .exporterBasic, "users_file", default: "none",
            "A file with `name:hash` in each line, as htpasswd(1) writes it; read again when it changes."),
        ConfigurationField(
            .exporter, "allow", default: "everybody",
            "Addresses and blocks, such as `[10.0.0.0/8]`, whose connections are taken; this machine's always are."),
        ConfigurationField(
            .exporter, "retired_series_ttl", default: "`5m`", "How long the series of a removed route stay exposed."),
        ConfigurationField(.exporter, "max_series", default: "`1000000`", "The bound on exposed series."),
        ConfigurationField(
            .exporter, "native_histograms", default: "`false`",
            "Keep histograms as native ones, too, for scrapers that ask for protobuf. Fixed for the life of the process."
        ),
        ConfigurationField(
            .exporter, "native_histogram_schema", default: "`3`",
            "How fine: 2^schema buckets to each power of two, -2 to 8. Fixed for the life of the process."),

        ConfigurationField(.log, "level", default: "`info`", "`debug`, `info`, `warning` or `error`."),
        ConfigurationField(.log, "format", default: "`text`", "`text` or `json`."),

        ConfigurationField(
            .shutdown, "delay", default: "`0s`", "How long `/readyz` answers 503 before the listeners close."),
        ConfigurationField(
            .shutdown, "drain_timeout", default: "`30s`", "How long open connections and sessions may still run."),

        ConfigurationField(
            .limits, "max_connections", default: "`auto`",
            "TCP connections at once in the whole process; `auto` comes from the descriptor limit."),
        ConfigurationField(
            .limits, "max_sessions", default: "none",
            "UDP sessions at once over all routes; beyond it a route's oldest unassured one makes room for its next."),
        ConfigurationField(
            .limits, "max_connections_per_ip", default: "none",
            "TCP connections and UDP sessions of one client at once over all routes."),
        ConfigurationField(
            .limits, "rate_limit", default: "none", "As on a route, for what a client opens on all routes together."),
        ConfigurationField(
            .limits, "bandwidth", default: "none", "As on a route, for the bytes of all routes together."),

        ConfigurationField(
            .acl, "default", default: "`allow`", "What becomes of clients that no rule is about: `allow` or `deny`."),
        ConfigurationField(
            .acl, "allow_local", default: "`true`",
            "Whether addresses of private networks pass before the default. Global only."),
        ConfigurationField(.acl, "allow", default: "none", "Rules for who may pass; see *Access control*."),
        ConfigurationField(.acl, "deny", default: "none", "Rules for who is turned away."),
        ConfigurationField(.acl, "log", default: "", "Where decisions are logged."),
        ConfigurationField(
            .aclLog, "path", default: "required", "`stdout`, or a file to append to, opened again on SIGHUP."),
        ConfigurationField(
            .aclLog, "log_allowed", default: "`false`", "Whether clients that pass are logged too."),
        ConfigurationField(
            .geoip, "database", default: "none",
            "A MaxMind database for rules about countries and time zones; needs a build with the trait `GeoIP`."),

        ConfigurationField(
            .route, "scheme", default: "required",
            "`tcp`, `tcp4`, `tcp6`, `udp`, `udp4` or `udp6`: the transport, and the address families of the listener."),
        ConfigurationField(
            .route, "bind", default: "every address",
            "The IP address to listen on; `::` with `tcp` or `udp` takes both families."),
        ConfigurationField(.route, "host", default: "`localhost`", "The upstream: a name or an IP address."),
        ConfigurationField(
            .route, "port", default: "required", "`LISTEN:TARGET`, such as `2222:22`; one number stands for both."),
        ConfigurationField(
            .route, "dial_timeout", [.tcp], default: "`5s`", "For the whole dial, resolving of names included."),
        ConfigurationField(
            .route, "idle_timeout", default: "TCP `off`, UDP `5m`",
            "Silence in both directions that ends a connection or an assured session; `off` on TCP only."),
        ConfigurationField(
            .route, "half_close_timeout", [.tcp], default: "`1h`",
            "Silence after one side has finished sending that ends the connection."),
        ConfigurationField(
            .route, "keepalive", [.tcp], default: "`{idle: 60s, interval: 10s, count: 6}`",
            "TCP keepalive probes on both sides, or `off`."),
        ConfigurationField(
            .route, "tcp_user_timeout", [.tcp], default: "`off`",
            "How long sent data may stay unacknowledged. Kills readers that pause; off unless you need it."),
        ConfigurationField(
            .route, "pre_dial_timeout", default: "`5s`",
            "How long `pre_dial` may take, waiting for its turn included; on UDP also the first look-up of a name."),
        ConfigurationField(.route, "max_connections", [.tcp], default: "none", "Connections at once on this route."),
        ConfigurationField(
            .route, "defer_accept", [.tcp], default: "`off`",
            "For so long a client that sends nothing is not accepted (`TCP_DEFER_ACCEPT`). Breaks protocols in which the "
                + "server speaks first."),
        ConfigurationField(
            .route, "fast_open", [.tcp], default: "`off`",
            "Connections that may bring data before their handshake is over (`TCP_FASTOPEN`); needs bit 2 of "
                + "`net.ipv4.tcp_fastopen`. A client's first bytes may then come twice."),
        ConfigurationField(
            .route, "unassured_timeout", [.udp], default: "`30s`",
            "Silence that ends a session whose client has not spoken again after a reply."),
        ConfigurationField(.route, "max_sessions", [.udp], default: "`16384`", "The size of the session table."),
        ConfigurationField(
            .route, "responses", [.udp], default: "none", "Replies after which a session ends; 1 suits DNS."),
        ConfigurationField(
            .route, "acl", default: "none",
            "`default`, `allow` and `deny` of this route; see *Access control*."),
        ConfigurationField(
            .route, "proxy_protocol", default: "`entrypoint`'s",
            "Who sends PROXY headers to this route: the keys of `entrypoint.proxy_protocol`, which it replaces whole."),
        ConfigurationField(
            .route, "relay_proxy_protocol_header", default: "`false`",
            "The PROXY header that the upstream gets. TCP: `v1`, `v2`, or `true` for v2. UDP: `v2` or `true` in front of "
                + "a session's first datagram, `each` in front of every one."),
        ConfigurationField(
            .route, "max_connections_per_ip", default: "none",
            "Connections or sessions of one client at once: of an IPv4 address, or of the /64 of an IPv6 one."),
        ConfigurationField(
            .route, "rate_limit", default: "none",
            "New connections or sessions of one client (address or /64): `10/s`, `600/m`, `5/h`, or "
                + "`{rate: 10/s, burst: 20}`."),
        ConfigurationField(
            .route, "bandwidth", default: "none",
            "Bytes a second: `{ingress: 10MB/s, egress: 512KiB/s, per_connection: {egress: 1MB/s}}`."),
        ConfigurationField(
            .route, "pre_dial", default: "none",
            "A program that lets each client pass or not: `{exec: [PROGRAM, ARGUMENT], concurrency: 16}`."),

        ConfigurationField(.keepalive, "idle", default: "`60s`", "Silence before the first probe."),
        ConfigurationField(.keepalive, "interval", default: "`10s`", "Time between probes."),
        ConfigurationField(.keepalive, "count", default: "`6`", "Unanswered probes that end the connection."),

        ConfigurationField(
            .routeACL, "default", default: "none",
            "What becomes, on this route, of clients that none of its rules is about: `allow` or `deny`."),
        ConfigurationField(.routeACL, "allow", default: "none", "Rules for who may pass."),
        ConfigurationField(.routeACL, "deny", default: "none", "Rules for who is turned away."),

        ConfigurationField(.rateLimit, "rate", default: "required", "How many in which time."),
        ConfigurationField(.rateLimit, "burst", default: "the count of `rate`", "How many at once, after a rest."),

        ConfigurationField(.bandwidth, "ingress", default: "none", "From clients to the upstream."),
        ConfigurationField(.bandwidth, "egress", default: "none", "From the upstream to clients."),
        ConfigurationField(.bandwidth, "per_connection", default: "none", "The same for each connection or session."),
        ConfigurationField(.perConnection, "ingress", default: "none", "From the client to the upstream."),
        ConfigurationField(.perConnection, "egress", default: "none", "From the upstream to the client."),

        ConfigurationField(.preDial, "exec", default: "required", "The program and its arguments."),
        ConfigurationField(.preDial, "concurrency", default: "`16`", "How many may run at once."),

        ConfigurationField(.entrypoint, "proxy_protocol", default: "", "Who sends PROXY headers to the routes."),
        ConfigurationField(
            .proxyProtocol, "mode", default: "`disabled`",
            "`mixed`: peers in `trusted_proxies` must send a PROXY header, the others pass as they are. `required`: the "
                + "others are refused. `disabled`: nobody's bytes are read as a header."),
        ConfigurationField(
            .proxyProtocol, "trusted_proxies", default: "none",
            "Addresses and blocks, such as `[10.0.0.0/8, \"2001:db8::7\"]`, of the proxies; needed for `mixed` and "
                + "`required`."),
        ConfigurationField(
            .proxyProtocol, "datagrams", default: "`first`",
            "On UDP routes: whether a trusted peer's `first` datagram of a session has the header, or `each`."),
    ]
}

extension Configuration {
    /// The route fields as a Markdown table, for the README.
    public static var fieldReference: String {
        var lines = ["| field | for | default | meaning |", "|---|---|---|---|"]
        for field in ConfigurationField.fields(of: .route) where field.support == .supported {
            let transports = field.transports.map { $0.rawValue.uppercased() }.joined(separator: ", ")
            lines.append("| `\(field.key)` | \(transports) | \(field.defaultText) | \(field.meaning) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The settings outside of routes as a Markdown table, for the README.
    public static var settingReference: String {
        var lines = ["| setting | default | meaning |", "|---|---|---|"]
        let sections: [ConfigurationField.Section] = [
            .exporter, .exporterAuth, .exporterBasic, .log, .shutdown, .limits, .acl, .aclLog, .geoip, .proxyProtocol,
        ]
        let top = ConfigurationField.fields(of: .top).filter { !$0.defaultText.isEmpty }
        let fields = top + sections.flatMap { ConfigurationField.fields(of: $0) }
        for field in fields where field.support == .supported && !field.defaultText.isEmpty {
            let path = field.section == .top ? field.key : "\(field.section.rawValue).\(field.key)"
            lines.append("| `\(path)` | \(field.defaultText) | \(field.meaning) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
