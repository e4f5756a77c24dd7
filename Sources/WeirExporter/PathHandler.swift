/// A request for a path that the exporter itself does not know.
public struct PathRequest: Sendable, Equatable {
    /// The path, as it came.
    public let path: String
    /// The fields of the query in their order, decoded.
    public let query: [Field]

    /// One field of a query.
    public struct Field: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Its value; empty where there is none.
        public let value: String
    }

    /// The first value of a field; nil where there is none.
    public subscript(name: String) -> String? { query.first { $0.name == name }?.value }
}

/// The answer to a ``PathRequest``.
public enum PathAnswer: Sendable, Equatable {
    /// A whole page.
    case page(HTTPStatus = .ok, contentType: String, body: String)
    /// A page that has begun and never goes on: a stream of events of which none occurs.
    case silence(contentType: String)
}

/// Answers requests for paths that the exporter does not know. They come from clients of listeners that have
/// ``UnixListener/Clients/verified(hasPaths:)`` with `hasPaths` true.
public protocol PathHandler: Sendable {
    /// Answers a request by GET or HEAD. Nil is 404. Called on no particular thread.
    ///
    /// The client waits for at most ``ExporterLimits/writeTimeout``, and then gets 503. The call is not canceled then,
    /// nor where the client has gone: its answer is dropped. At most ``ExporterLimits/connections`` calls are under way
    /// at once; a request beyond them gets 503 without a call.
    func answer(_ request: PathRequest) async -> PathAnswer?
}
