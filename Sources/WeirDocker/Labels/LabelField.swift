import WeirConfiguration

/// The fields of a route that labels may set: a closed list, because labels come with images, too.
enum LabelField {
    /// The fields of a route's own settings.
    static let ofRoutes: Set = [
        "scheme", "port", "sni", "alpn", "tls", "acl", "dial_timeout", "attempt_timeout", "idle_timeout",
        "half_close_timeout", "keepalive", "tcp_user_timeout", "unassured_timeout", "hello_timeout",
        "handshake_timeout", "max_connections",
        "max_connections_per_ip", "max_sessions", "rate_limit", "bandwidth", "responses", "amplification",
        "relay_proxy_protocol_header", "balance", "health", "eject", "slow_start", "on_down", "when_none",
    ]

    /// The fields of a container as an upstream.
    static let ofUpstreams: Set = ["weight", "backup"]

    /// The labels of a container itself, without an alias.
    static let ofContainers: Set = ["aliases", "exclude", "network"]

    static var all: Set<String> { ofRoutes.union(ofUpstreams) }

    /// Fields of a route of the file that labels may not set, and the reason.
    static let refused: [String: String] = [
        "host": "labels are for their own container",
        "upstreams": "labels are for their own container; containers of one service are upstreams of one route",
        "bind": "`docker.bind` says where labels listen",
        "proxy_protocol": "`entrypoint.proxy_protocol` says which proxies are believed",
        "pre_dial": "programs are for the file alone",
        "agent": "agents are for the file alone",
        "dial_from": "it is for the file alone", "dscp": "it is for the file alone",
        "freebind": "it is for the file alone", "defer_accept": "it is for the file alone",
        "fast_open": "it is for the file alone", "unix_mode": "it is for the file alone",
        "resolve": "a container has no name to resolve", "starttls": "it is for the file alone",
        "upstream_tls": "it is for the file alone",
    ]

    /// Keys that an HTTP proxy reads behind an alias, and Weir does not.
    static let ofHTTPProxies: Set = [
        "healthcheck", "homepage", "middlewares", "middleware_bypass", "rules", "rule_file", "path_patterns",
        "load_balance", "access_log", "no_tls_verify", "response_header_timeout", "disable_compression", "http_config",
        "idlewatcher", "index", "spa", "root", "ssl_server_name", "ssl_trusted_certificate", "ssl_certificate",
        "ssl_certificate_key", "ssl_protocols", "inbound_mtls_profile", "tls_termination", "error_page",
    ]
}
