/// An endpoint to dial, as it was configured: a name or an address literal, and a port; or a Unix socket.
public struct Upstream: Hashable, Sendable {
    /// The host.
    public let host: UpstreamHost
    /// The port; 0 for a Unix socket, which has none.
    public let port: UInt16
    /// The transport that the text named in front, TCP for a Unix socket; nil leaves it to the stream.
    public let transport: Transport?
    /// Whether the port is the same for the clients of every listener of a stream (``StreamListener/portShift``).
    public let isPortFixed: Bool
    /// The destination that the agent at ``host`` and ``port`` dials; nil where these are the destination themselves.
    public private(set) var behindAgent: AgentDestination?

    /// The bound on bytes of a name in the domain name system (RFC 1035 section 2.3.4, without the root's).
    private static let maxNameLength = 253

    /// An upstream from its parts. The port does not matter for a Unix socket.
    /// - Throws: ``EndpointError/invalidUpstream(_:)`` for port 0, and a name that is empty, too long, or holds a zero
    ///   byte.
    public init(
        _ host: UpstreamHost, port: UInt16, transport: Transport? = nil, isPortFixed: Bool = false
    ) throws(EndpointError) {
        self.host = host
        if case .unix(let path) = host {
            self.port = 0
            self.transport = .tcp
            self.isPortFixed = true
            if transport == .udp { throw .invalidUpstream("\(path)") }
            return
        }
        self.port = port
        self.transport = transport
        self.isPortFixed = isPortFixed
        let text = host.description.utf8
        guard port != 0, !text.isEmpty, text.count <= Self.maxNameLength, !text.contains(0) else {
            throw .invalidUpstream(description)
        }
    }

    /// A destination behind the agent at a host and port.
    /// - Throws: see ``init(_:port:transport:isPortFixed:)``.
    public init(agent host: UpstreamHost, port: UInt16, destination: AgentDestination) throws(EndpointError) {
        try self.init(host, port: port, isPortFixed: true)
        behindAgent = destination
    }

    /// An upstream from its parts; the host is a name or a literal without brackets.
    public init(host: String, port: UInt16) throws(EndpointError) {
        try self.init(UpstreamHost(host), port: port)
    }

    /// Reads `localhost:22`, `192.0.2.7:22` or `[2001:db8::7]:22`; `tcp://` or `udp://` may stand in front. Also reads
    /// `unix:/run/db.sock` and `unix:@name`.
    public init(_ text: String) throws(EndpointError) {
        if let path = UnixSocketPath(prefixed: text) {
            try self.init(.unix(path), port: 0)
            return
        }
        var transport: Transport?
        var rest = text[...]
        if let (scheme, behind) = splitScheme(text) {
            guard let named = Transport(rawValue: String(scheme)) else { throw .invalidUpstream(text) }
            transport = named
            rest = behind
        }
        guard let parts = HostAndPort(rest), let port = parts.portNumber else { throw .invalidUpstream(text) }
        do throws(EndpointError) {
            try self.init(
                UpstreamHost(String(decoding: parts.host, as: UTF8.self)), port: port, transport: transport)
        } catch {
            throw .invalidUpstream(text)
        }
    }
}

extension Upstream: CustomStringConvertible {
    /// `host:port`, `unix:` and the path, or `host:port via agent`: the text that labels and logs carry.
    public var description: String {
        behindAgent?.description ?? host.unixPath?.description ?? "\(host.bracketed):\(port)"
    }
}
