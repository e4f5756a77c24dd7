/// Chooses among the routes of a table by the first bytes of a client.
///
/// The matcher sees a copy: the bytes stay in the socket, and the chosen route reads all of them.
public protocol FirstBytesMatcher: Sendable {
    /// Judges the beginning of a client's stream: at least one byte, at most ``FirstBytesTable/maxBytes``. Called again
    /// from the beginning when more bytes arrive. Pure and synchronous, on a worker. The bytes are untrusted.
    /// - Parameter isEnd: whether the client ended its stream after these bytes.
    func match(_ bytes: Span<UInt8>, isEnd: Bool) -> FirstBytesMatch
}

/// A matcher's verdict.
public enum FirstBytesMatch: Equatable, Sendable {
    /// The matcher needs at least this many bytes, counted from the beginning of the stream.
    case needsMore(atLeast: Int)
    /// The client goes to the route at this index of the table.
    case route(Int, by: FirstBytesResult = .name)
    /// The client matches no route and is reset.
    case none(FirstBytesMismatch)
}

/// The way in which first bytes chose a route.
public enum FirstBytesResult: String, CaseIterable, Sendable {
    /// They name it: the server name, the protocol, or whatever else the matcher reads.
    case name
    /// They are a TLS hello that no other route wants, and the route takes the rest.
    case `default`
    /// They are not TLS, and the route takes the rest.
    case notTLS = "not_tls"
}

/// The reason why the first bytes match no route.
public enum FirstBytesMismatch: String, CaseIterable, Sendable {
    /// They are well formed, and no route matches them.
    case noMatch = "no_match"
    /// They violate their protocol.
    case malformed
    /// They say that a choice needs more than ``FirstBytesTable/maxBytes``.
    case tooLong = "too_long"
}

/// The routes behind one listener, and the matcher that chooses among them.
public struct FirstBytesTable: Sendable {
    /// The longest beginning that a matcher sees, in bytes. A client that needs more is reset.
    public static let maxBytes = 16 << 10

    /// The matcher, which chooses by index.
    public let matcher: any FirstBytesMatcher
    /// The routes in the order of the matcher's indices. They may have listeners of their own or none (`listen: []`),
    /// and must serve.
    public let routes: [TCPStream]

    /// Creates a table of these routes.
    public init(matcher: any FirstBytesMatcher, routes: [TCPStream]) {
        self.matcher = matcher
        self.routes = routes
    }
}

/// The routes behind a ``SharedListener``.
public enum ListenerTarget: Sendable {
    /// One route for all clients, whose bytes are not inspected.
    case route(TCPStream)
    /// A table of routes, of which the first bytes choose one.
    case table(FirstBytesTable)

    var routes: [TCPStream] {
        switch self {
        case .route(let route): [route]
        case .table(let table): table.routes
        }
    }
}
