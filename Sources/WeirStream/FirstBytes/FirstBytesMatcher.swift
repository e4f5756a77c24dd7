/// Chooses among the routes of a table by the first bytes of a client.
///
/// The bytes are only looked at: they stay in the socket, and the route that is chosen gets all of them.
public protocol FirstBytesMatcher: Sendable {
    /// Judges the beginning of a client's stream, at least one byte and at most ``FirstBytesTable/maxBytes``. Asked again
    /// from the beginning whenever more has come. Pure and synchronous, on a worker; the bytes are a stranger's.
    /// - Parameter isEnd: whether the client has ended its stream behind these bytes.
    func match(_ bytes: Span<UInt8>, isEnd: Bool) -> FirstBytesMatch
}

/// A matcher's verdict.
public enum FirstBytesMatch: Equatable, Sendable {
    /// More bytes are needed: as many as this from the beginning on, as far as that is known.
    case needsMore(atLeast: Int)
    /// The route at this index of the table.
    case route(Int)
    /// No route takes the client, which is reset.
    case none(FirstBytesMismatch)
}

/// Why first bytes chose no route.
public enum FirstBytesMismatch: String, CaseIterable, Sendable {
    /// They are well formed, and no route wants them.
    case noMatch = "no_match"
    /// They break their own protocol.
    case malformed
}

/// The routes behind one listener, and the matcher that chooses among them.
public struct FirstBytesTable: Sendable {
    /// The most that a matcher ever sees, in bytes. A client whose beginning is longer is reset.
    public static let maxBytes = 16 << 10

    /// Chooses by index.
    public let matcher: any FirstBytesMatcher
    /// The routes in the order of the matcher's indices. They may have listeners of their own, or none
    /// (`listen: []`), and must serve.
    public let routes: [TCPStream]

    /// A table of these routes.
    public init(matcher: any FirstBytesMatcher, routes: [TCPStream]) {
        self.matcher = matcher
        self.routes = routes
    }
}

/// The routes that a ``SharedListener`` leads to.
public enum ListenerTarget: Sendable {
    /// One route for all clients: no look at their bytes.
    case route(TCPStream)
    /// The first bytes choose.
    case table(FirstBytesTable)

    var routes: [TCPStream] {
        switch self {
        case .route(let route): [route]
        case .table(let table): table.routes
        }
    }
}
