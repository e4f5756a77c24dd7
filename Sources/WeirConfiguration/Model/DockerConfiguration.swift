public import NetworkTypes

extension Configuration {
    /// `docker:`, the container engines whose labels make routes.
    public struct Docker: Sendable, Equatable {
        /// The engines, at least one, with distinct names.
        public var endpoints: [Endpoint]
        /// The first part of the labels that count.
        public var labelPrefix = defaultLabelPrefix
        /// The network whose addresses are dialed where a container has several; nil for none.
        public var network: String?
        /// The ports that labels may listen on.
        public var listenPorts: [ClosedRange<UInt16>] = [1024...65_535]
        /// The server names that labels may claim.
        public var names: [ServerNamePattern] = []
        /// The addresses on which routes of labels listen; none is every address.
        public var bind: [BindAddress] = []
        /// How long a route outlives its last container.
        public var grace = Duration.seconds(10)
        /// Whether published ports of the engine's host are dialed instead of the addresses of containers.
        public var usesPublishedPorts = false
        /// The certificates that an engine's own may be signed by; nil for those of the system.
        public var authorities: String?
        /// The certificate that Weir shows to engines, and its key; nil for none.
        public var certificate: String?
        /// The file of the key.
        public var key: String?

        /// The prefix that containers may also carry for an HTTP proxy.
        public static let defaultLabelPrefix = "proxy"

        /// Makes the section; defaults as documented.
        public init(endpoints: [Endpoint]) {
            self.endpoints = endpoints
        }
    }
}

extension Configuration.Docker {
    /// One engine.
    public struct Endpoint: Sendable, Hashable {
        /// The means to reach an engine.
        public enum Address: Sendable, Hashable {
            /// The path of its Unix socket.
            case unix(String)
            /// The host, without brackets, and the port of its API.
            case tcp(host: String, port: UInt16)
        }

        /// The name in labels of metrics and in the log.
        public let name: String
        /// The means to reach it.
        public let address: Address

        /// The name of an engine that is the only one.
        public static let defaultName = "docker"

        /// Joins a name and an address.
        public init(name: String = defaultName, address: Address) {
            self.name = name
            self.address = address
        }
    }
}

extension Configuration.Docker.Endpoint.Address: CustomStringConvertible {
    /// `unix:///var/run/docker.sock` or `tcp://socket-proxy:2375`.
    public var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    /// Reads what `DOCKER_HOST` may say.
    init(parsing text: String) throws(ValueError) {
        let expected = "an engine such as `unix:///var/run/docker.sock` or `tcp://socket-proxy:2375`"
        if text.hasPrefix("unix:") {
            let path = text.dropFirst(5)
            let bare = path.hasPrefix("//") ? path.dropFirst(2) : path
            // sun_path (unix(7)) has 108 bytes with its zero.
            guard bare.hasPrefix("/"), bare.utf8.count < 108, !bare.utf8.contains(0) else {
                throw ValueError("expected \(expected), found \(quoted(text))")
            }
            self = .unix(String(bare))
            return
        }
        if text.hasPrefix("/") {
            throw ValueError("expected \(expected), found \(quoted(text))", suggestion: "unix://\(text)")
        }
        guard text.hasPrefix("tcp://"), let parts = Self.hostAndPort(text.dropFirst(6)) else {
            let rest = ["http://", "https://"].first(where: text.hasPrefix).map { text.dropFirst($0.count) }
            throw ValueError(
                "expected \(expected), found \(quoted(text))",
                suggestion: rest.flatMap { Self.hostAndPort($0) == nil ? nil : "tcp://\($0)" })
        }
        self = .tcp(host: parts.host, port: parts.port)
    }

    private static func hostAndPort(_ text: Substring) -> (host: String, port: UInt16)? {
        guard let upstream = try? UpstreamConfiguration(parsing: String(text)), let port = upstream.port,
            upstream.host.unixPath == nil
        else { return nil }
        return (upstream.host.description, port)
    }
}
