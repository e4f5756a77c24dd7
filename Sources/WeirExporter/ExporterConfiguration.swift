public import LinuxIO
public import NetworkTypes

/// A Unix socket that an ``Exporter`` listens on.
public struct UnixListener: Hashable, Sendable {
    /// The path of its file. The folder must exist.
    public var path: UnixSocketPath
    /// The file's permission bits: who may write to it may connect (unix(7)). An abstract name has none.
    public var mode: UInt32
    /// The clients that connect there.
    public var clients: Clients

    /// The clients of a listener.
    public enum Clients: Hashable, Sendable {
        /// All that reach it.
        case all
        /// The clients that this program itself lets through, and that need no credentials. Connections of other users
        /// are closed. Where `hasPaths` is true, they may ask for every page and for the paths of the ``PathHandler``;
        /// otherwise for `/metrics` and `/healthz`, and all other paths are not found.
        case verified(hasPaths: Bool)
    }

    /// Names a path; by default for the owner and the group.
    public init(path: UnixSocketPath, mode: UInt32 = 0o660, clients: Clients = .all) {
        self.path = path
        self.mode = mode
        self.clients = clients
    }
}

/// The configuration of an ``Exporter``.
public struct ExporterConfiguration: Sendable {
    /// The addresses to listen on; port 0 takes a free one. `[::]` takes IPv4 clients too, unless `0.0.0.0` is listed
    /// as well.
    public var listen: [SocketAddress]
    /// The Unix sockets that it listens on, besides.
    public var unixSockets: [UnixListener]
    /// The access rules at the start.
    public var access: ExporterAccess
    /// The encryption of TCP connections at the start; nil for plain HTTP.
    public var encryption: ExporterEncryption?
    /// The program's name on the page at `/`.
    public var product: String
    /// The page at `/`; nil for a list of the others.
    public var startPage: StartPage?
    /// The bounds.
    public var limits: ExporterLimits
    /// The clock of its timers.
    public var clock: MonotonicClock

    /// A configuration, by default with Weir's bounds.
    public init(
        listen: [SocketAddress], unixSockets: [UnixListener] = [], access: ExporterAccess = ExporterAccess(),
        encryption: ExporterEncryption? = nil, product: String = "Weir", limits: ExporterLimits = ExporterLimits(),
        clock: MonotonicClock = .system
    ) {
        self.listen = listen
        self.unixSockets = unixSockets
        self.access = access
        self.encryption = encryption
        self.product = product
        self.limits = limits
        self.clock = clock
    }
}
