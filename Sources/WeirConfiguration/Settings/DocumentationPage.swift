/// The page of `docs` that explains a setting. Its raw value is the name of the file, without `.md`.
enum DocumentationPage: String, Sendable {
    case access, agents, containers, exporter, hooks, limits, live, logs, names, performance
    case proxyProtocol = "proxy-protocol"
    case reload, routes, tls, udp, upstreams

    /// The link in a page of the same folder, in Markdown.
    var link: String { "[\(rawValue)](\(rawValue).md)" }
}
