public import LinuxIO

/// What an ``Exporter`` is started with.
public struct ExporterConfiguration: Sendable {
    /// Where it listens; port 0 takes a free one. `[::]` takes IPv4 clients too, unless `0.0.0.0` is listed as well.
    public var listen: [SocketAddress]
    /// What the page at `/` calls this program.
    public var product: String
    /// The bounds.
    public var limits: ExporterLimits
    /// Where its timers get their time from.
    public var clock: MonotonicClock

    /// A configuration, by default with Weir's bounds.
    public init(
        listen: [SocketAddress], product: String = "Weir", limits: ExporterLimits = ExporterLimits(),
        clock: MonotonicClock = .system
    ) {
        self.listen = listen
        self.product = product
        self.limits = limits
        self.clock = clock
    }
}
