import NetworkTypes

extension Configuration {
    /// `exporter:`, the HTTP server that Prometheus scrapes.
    public struct Exporter: Sendable, Equatable {
        /// Its listeners, at least one. Cannot be reloaded.
        public var listen: [Listener]
        /// The permission bits of its Unix sockets. Cannot be reloaded.
        public var socketMode: UInt32 = 0o660
        /// The users that may read its pages; nil for all clients that reach it.
        public var authentication: ExporterAuthentication?
        /// The encryption of its TCP connections; nil for plain HTTP.
        public var tls: ExporterTLS?
        /// The networks whose connections it takes, beside those from this machine; nil for all.
        public var allow: [IPPrefix]?
        /// Host names that requests may be for, besides `localhost` and IP addresses.
        public var hosts: [String] = []
        /// How long counters and histograms of a removed route stay, so that every scraper sees their last value.
        public var retiredSeriesTTL: Duration
        /// The bound on exposed series; what is over it is counted, not kept.
        public var maxSeries: Int
        /// Whether histograms are kept as native ones, too. Cannot be reloaded.
        public var hasNativeHistograms: Bool
        /// How fine those are: 2^schema buckets to each power of two. Cannot be reloaded.
        public var nativeHistogramSchema: Int
        /// The schemas that can be chosen.
        public static let nativeHistogramSchemas = -2...8

        /// Makes the section; defaults as documented.
        public init(
            listen: [Listener] = [.defaultListener], retiredSeriesTTL: Duration = .seconds(300),
            maxSeries: Int = 1_000_000, hasNativeHistograms: Bool = false, nativeHistogramSchema: Int = 3
        ) {
            self.listen = listen
            self.retiredSeriesTTL = retiredSeriesTTL
            self.maxSeries = maxSeries
            self.hasNativeHistograms = hasNativeHistograms
            self.nativeHistogramSchema = nativeHistogramSchema
        }
    }

    /// `log:`, what goes to standard output.
    public struct Log: Sendable, Equatable {
        /// The least severe level that is written.
        public enum Level: String, Sendable, CaseIterable {
            /// Transfer details too.
            case debug
            /// Starts, stops, and one line for each connection or session.
            case info
            /// A condition that may need attention.
            case warning
            /// Failures only.
            case error
        }

        /// How a line looks.
        public enum Format: String, Sendable, CaseIterable {
            /// `TIME LEVEL message key=value …`, for people.
            case text
            /// One JSON object a line (RFC 8259).
            case json
        }

        /// The least severe level that is written.
        public var level: Level
        /// How a line looks.
        public var format: Format

        /// Makes the section; defaults as documented.
        public init(level: Level = .info, format: Format = .text) {
            self.level = level
            self.format = format
        }
    }

    /// `shutdown:`, how the process ends on SIGTERM.
    public struct Shutdown: Sendable, Equatable {
        /// How long `/readyz` answers 503 before the listeners close.
        public var delay: Duration
        /// How long open connections and sessions may still run.
        public var drainTimeout: Duration

        /// Makes the section; defaults as documented.
        public init(delay: Duration = .zero, drainTimeout: Duration = .seconds(30)) {
            self.delay = delay
            self.drainTimeout = drainTimeout
        }
    }

    /// `limits:`, for the whole process.
    public struct Limits: Sendable, Equatable {
        /// The most TCP connections at once; `auto` comes from the descriptor limit.
        public var maxConnections: AutomaticCount
        /// The most UDP sessions at once; nil is no limit beside those of the routes.
        public var maxSessions: Int?
        /// The limits of clients on all routes together.
        public var traffic: TrafficLimits

        /// Makes the section; defaults as documented.
        public init(
            maxConnections: AutomaticCount = .automatic, maxSessions: Int? = nil,
            traffic: TrafficLimits = TrafficLimits()
        ) {
            self.maxConnections = maxConnections
            self.maxSessions = maxSessions
            self.traffic = traffic
        }
    }

    /// `entrypoint:`, what routes take that do not say otherwise. Each of them has its own copy.
    public struct Entrypoint: Sendable, Equatable {
        /// The peers that send PROXY headers.
        public var proxyProtocol: ProxyProtocolSettings

        /// Makes the section; defaults as documented.
        public init(proxyProtocol: ProxyProtocolSettings = ProxyProtocolSettings()) {
            self.proxyProtocol = proxyProtocol
        }
    }
}
