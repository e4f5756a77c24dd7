/// The parts of a TLS ClientHello that choose a route.
public struct ClientHello: Sendable {
    /// The length in bytes of the hello with the headers of its records, from the beginning of the stream.
    public let length: Int
    /// The server name (SNI, RFC 6066) in lower case: a host name that is no IP address; nil where there is none. Of an
    /// encrypted hello (ECH) it is the outer name.
    public internal(set) var serverName: ShortBytes?
    /// The protocols of ALPN (RFC 7301) in the client's order.
    public internal(set) var protocols = OfferedProtocols()

    init(length: Int) {
        self.length = length
    }
}

/// The protocols that a ``ClientHello`` offers, one after the other.
public struct OfferedProtocols: Sendable {
    private var rest: HandshakeCursor

    init() {
        rest = HandshakeCursor(messageLength: 0)
    }

    init(_ list: HandshakeCursor) {
        rest = list
    }

    /// Returns the next protocol's name, which may hold any bytes; nil at the end.
    /// - Parameter bytes: the bytes that the hello was read from.
    public mutating func next(in bytes: Span<UInt8>) -> ShortBytes? {
        guard let count = rest.byte(in: bytes), count <= rest.left else { return nil }
        var name = ShortBytes()
        for _ in 0..<count {
            guard let byte = rest.byte(in: bytes), name.append(UInt8(byte)) else { return nil }
        }
        return name
    }
}

/// The outcome of ``ClientHelloParser/parse(_:)``.
public enum ClientHelloScan: Sendable {
    /// The hello is not complete: it has at least this many bytes, counted from the beginning of the stream.
    case needsMore(atLeast: Int)
    /// The stream does not begin with a TLS handshake.
    case notTLS
    /// The stream begins like TLS and violates it.
    case malformed
    /// The hello is longer than ``FirstBytesTable/maxBytes``.
    case tooLong
    /// The hello has arrived.
    case complete(ClientHello)
}
