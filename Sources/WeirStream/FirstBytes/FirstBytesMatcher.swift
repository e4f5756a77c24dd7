/// Chooses among the routes of a table by the first bytes of a client.
///
/// The matcher sees a copy: the bytes stay in the socket, and the chosen route reads all of them, except those that the
/// matcher answers.
public protocol FirstBytesMatcher: Sendable {
    /// Judges the beginning of a client's stream: at least one byte, at most ``FirstBytesTable/maxBytes``. Called again
    /// from the beginning when more bytes arrive. Pure and synchronous, on a worker. The bytes are untrusted.
    /// - Parameters:
    ///   - isEnd: whether the client ended its stream after these bytes.
    ///   - stage: 0 at first, then that of the latest ``FirstBytesAnswer``. The stream then begins behind the bytes
    ///     that it consumed.
    ///   - serverName: nil before. The matcher sets it to the server name of a whole hello, in lower case, and empty
    ///     where the hello has none. The session of a route that ends TLS refuses a client in whose hello it finds
    ///     another name (``SecureSession/expect(serverName:)``); observers may tell it (``StreamContext/serverName``).
    func match(_ bytes: Span<UInt8>, isEnd: Bool, stage: Int, serverName: inout [UInt8]?) -> FirstBytesMatch
}

extension FirstBytesMatcher {
    /// The same, without the name.
    package func match(_ bytes: Span<UInt8>, isEnd: Bool, stage: Int) -> FirstBytesMatch {
        var serverName: [UInt8]?
        return match(bytes, isEnd: isEnd, stage: stage, serverName: &serverName)
    }
}

/// A matcher's verdict.
public enum FirstBytesMatch: Equatable, Sendable {
    /// The matcher needs at least this many bytes, counted from the beginning of the stream.
    case needsMore(atLeast: Int)
    /// The client goes to the route at this index of the table. With a preface, its upstream gets that first.
    case route(Int, by: FirstBytesResult = .name, preface: UpstreamPreface? = nil)
    /// The client gets an answer, and the matcher judges the bytes that follow.
    case answer(FirstBytesAnswer)
    /// The client matches no route and is reset.
    case none(FirstBytesMismatch)
}

/// An answer that a client needs before it sends what chooses its route. The bytes that it is for are read from the
/// socket: the route does not get them.
public struct FirstBytesAnswer: Equatable, Sendable {
    /// The most answers to one client. A client whose matcher has more is reset.
    public static let maxCount = 4

    /// The number of bytes that are read from the socket: at least one, and at most as many as the matcher saw.
    public var consumedByteCount: Int
    /// The answer. It is short: a client whose socket does not take all of it is reset.
    public var bytes: [UInt8]
    /// The stage in which the matcher judges the following bytes.
    public var stage: Int

    /// Creates an answer.
    public init(consuming consumedByteCount: Int, _ bytes: [UInt8], stage: Int) {
        self.consumedByteCount = consumedByteCount
        self.bytes = bytes
        self.stage = stage
    }
}

/// An exchange that an upstream must see before the bytes of a client, because the client had it with this process (see
/// ``FirstBytesAnswer``). It follows a PROXY header and belongs to the dial: an upstream that answers otherwise is a
/// failed dial with ``DialFailure/tls``. A route that decrypts its clients' bytes omits it.
public struct UpstreamPreface: Equatable, Sendable {
    /// The bytes that the upstream gets.
    public let request: [UInt8]
    /// The only answer that lets the connection continue. The client does not get it.
    public let answer: [UInt8]

    /// Creates a preface.
    public init(request: [UInt8], answer: [UInt8]) {
        self.request = request
        self.answer = answer
    }
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
    /// The number that the listener adds to the ports of each route's upstreams (``StreamListener/portShift``), in the
    /// same order; 0 for routes beyond its end.
    public let portShifts: [UInt16]

    /// Creates a table of these routes.
    public init(matcher: any FirstBytesMatcher, routes: [TCPStream], portShifts: [UInt16] = []) {
        self.matcher = matcher
        self.routes = routes
        self.portShifts = portShifts
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

    /// The port shift of each route, in the same order.
    var portShifts: [UInt16] {
        let known = if case .table(let table) = self { table.portShifts } else { [] as [UInt16] }
        return routes.indices.map { known.indices.contains($0) ? known[$0] : 0 }
    }
}
