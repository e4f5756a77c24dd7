/// Probes that the kernel sends to a silent peer (`SO_KEEPALIVE`, tcp(7)), so that a vanished peer is detected.
public struct Keepalive: Hashable, Sendable {
    /// Silence before the first probe; the kernel counts whole seconds.
    public var idle: Duration
    /// Time between probes; the kernel counts whole seconds.
    public var interval: Duration
    /// Unanswered probes before the connection counts as broken.
    public var count: Int

    /// The default breaks a connection after two minutes of silence.
    public init(idle: Duration = .seconds(60), interval: Duration = .seconds(10), count: Int = 6) {
        self.idle = idle
        self.interval = interval
        self.count = count
    }
}
