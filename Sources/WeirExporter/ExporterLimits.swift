/// Bounds on what clients of the exporter can make it hold, and for how long.
public struct ExporterLimits: Hashable, Sendable {
    /// Request line and headers together.
    public var headBytes = 8192
    /// The maximum length of a request body, in bytes, that is read and discarded; a longer one is refused.
    public var discardedBodyBytes = 8192
    /// Open connections.
    public var connections = 64
    /// Open connections of one source: an IPv4 address, the first half of an IPv6 one, or all of the Unix sockets.
    public var connectionsPerSource = 16
    /// The part of ``connections`` that is reserved for clients on this machine, so that `weir health` always gets one.
    public var keptForThisMachine = 4
    /// Rendered pages that are on their way to slow readers. One rendering is shared by all who asked in the same turn.
    public var pagesInFlight = 16
    /// From a head's first byte to its last; also how long a new connection may stay silent.
    public var headTimeout: Duration = .seconds(10)
    /// How long the handshake of an encrypted connection may take; ``headTimeout`` begins after it.
    public var handshakeTimeout: Duration = .seconds(10)
    /// How long a connection that was served may wait for its next request.
    public var idleTimeout: Duration = .seconds(120)
    /// How long a reader may take nothing.
    public var writeTimeout: Duration = .seconds(30)
    /// A reader that has taken no byte for this long is evicted where another client needs its connection or page.
    public var stallTime: Duration = .seconds(1)
    /// How long input is thrown away after the last answer, so that the client reads the answer and not a reset.
    public var lingerTimeout: Duration = .seconds(2)
    /// How much input is thrown away after the last answer.
    public var lingerBytes = 64 * 1024

    /// The bounds of Weir.
    public init() {}
}
