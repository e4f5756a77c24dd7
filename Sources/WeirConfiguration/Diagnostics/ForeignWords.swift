/// Words of other proxies (HAProxy, Envoy, nginx, Traefik, Caddy, Docker) with the setting that they stand for here.
///
/// A word counts without case and separators, as configurations write it in many ways: `proxy_pass`, `entryPoints`,
/// `send-proxy`.
enum ForeignWords {
    /// The setting of this section that a word of another proxy means, and how it is meant.
    static func meaning(of word: String, among supported: [String]) -> (key: String, remark: String)? {
        guard let candidates = meanings[folded(word)] else { return nil }
        return candidates.first { supported.contains($0.key) }
    }

    private static let ports = "`port: LISTEN:TARGET` has the port to listen on first, and `bind` an address for it"
    private static let upstream =
        "`host` has the name or address to dial, `upstreams` several; their port is the "
        + "second half of `port`"
    private static let routes = "each entry of `routes` is a name with its listener and its upstream"
    private static let rules = "`acl` has the rules for who may pass, in `allow` and `deny`"

    /// For each folded word the settings, the first that the section has counts.
    private static let meanings: [String: [(key: String, remark: String)]] = {
        var meanings: [String: [(key: String, remark: String)]] = [:]
        func add(_ key: String, _ remark: String, _ words: String) {
            for word in words.split(whereSeparator: \.isWhitespace) {
                meanings[folded(String(word)), default: []].append((key, remark))
            }
        }
        add(
            "port", ports,
            """
            listen listener listeners listen_port listen_address entryPoint entryPoints frontend expose
            published ports source_port from incoming
            """)
        add("bind", "`bind` has the address to listen on, without a port", "listen_ip local_address interface ip")
        add(
            "host", upstream,
            """
            server servers upstream backend backends target targets proxy_pass destination dest address addr
            endpoint endpoints cluster to forward forward_to service services loadBalancer loadBalancers
            default_backend use_backend remote url uri hostname
            """)
        add("scheme", "`scheme` is `tcp` or `udp`", "protocol proto network type mode transport")
        add(
            "dial_timeout", "`dial_timeout` is for the whole dial",
            """
            connect_timeout proxy_connect_timeout timeout_connect connection_timeout
            """)
        add(
            "idle_timeout", "`idle_timeout` ends a connection by silence in both directions",
            """
            timeout proxy_timeout timeout_client timeout_server read_timeout
            """)
        add(
            "half_close_timeout", "`half_close_timeout` begins when one side has finished",
            """
            timeout_client_fin timeout_server_fin terminationDelay
            """)
        add("max_connections", "`max_connections` is for all clients together", "maxconn max_conns limit_conn")
        add("max_connections_per_ip", "`max_connections_per_ip` is for each client", "max_conn_per_ip ip_limit")
        add("responses", "`responses` is how many answers each datagram gets", "proxy_responses")
        add(
            "relay_proxy_protocol_header", "it writes a PROXY header to the upstream",
            """
            send_proxy send_proxy_v2 upstream_proxy_protocol
            """)
        add("proxy_protocol", "it reads PROXY headers of `trusted_proxies`", "accept_proxy proxyProtocol")
        add("trusted_proxies", "it has the proxies whose headers count", "trustedIPs set_real_ip_from trusted trust")
        add(
            "acl", rules,
            """
            allow deny whitelist blacklist allowlist denylist ipAllowList ipWhiteList rules access middleware
            middlewares filters rbac tcp_request
            """)
        add("allow", "`allow` has the rules, or networks, that may pass", "whitelist allowlist ipAllowList permit")
        add("deny", "`deny` has the rules of clients that are turned away", "blacklist denylist block ban")
        add("listen", "`listen` has the address and the port", "bind address addr port host endpoint listener")
        add("bandwidth", "`bandwidth` is in bytes a second", "proxy_download_rate proxy_upload_rate bwlim throttle")
        add("rate_limit", "`rate_limit` counts new connections of each client", "limit_req rate local_ratelimit")
        add("balance", "`balance` has the policy", "lb_policy lb strategy algorithm least_conn hash")
        add("keepalive", "`keepalive` has TCP's probes", "so_keepalive tcp_keepalive clitcpka srvtcpka")
        add(
            "routes", routes,
            """
            stream streams frontends backends servers services routers proxies listeners clusters tcp udp
            upstreams hosts server upstream forwards mappings rules apps
            """)
        add("exporter", "`exporter` serves `/metrics` and `/healthz`", "metrics prometheus stats ping api")
        add("log", "`log` has the level and the format", "logging accessLog access_log error_log logs")
        add("workers", "`workers` are the event-loop threads", "worker_processes nbthread nbproc concurrency threads")
        add("shutdown", "`shutdown` has the times of the end", "drain drain_time hard_stop_after")
        add("defaults", "`defaults` holds for every route", "global default common")
        add("routes", routes, "entryPoints listen")
        return meanings
    }()
}
