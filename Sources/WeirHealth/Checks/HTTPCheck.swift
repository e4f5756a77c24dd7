/// A request for a page (RFC 9110, RFC 9112). The status of the response decides once its head is whole; the body is
/// not read. Redirects are not followed.
public struct HTTPCheck: Hashable, Sendable {
    /// The methods that a check may use: neither changes anything on a server.
    public enum Method: String, CaseIterable, Sendable {
        /// The page with its body, which not all servers can do without.
        case get = "GET"
        /// The head alone.
        case head = "HEAD"
    }

    /// The path, with a query where there is one.
    public let path: String
    /// The method.
    public let method: Method
    /// The statuses that pass.
    public let statuses: [ClosedRange<Int>]
    /// The value of `Host`; nil for the address and port that are checked.
    public let host: String?

    /// The statuses that pass where none are given: all that are no error.
    public static let usualStatuses = [200...399]
    private static let finalStatuses = 200...599
    private static let maxPathLength = 2_048
    private static let maxHostLength = 255

    /// A request.
    /// - Throws: ``HealthCheckError/invalidPath(_:)``, ``HealthCheckError/invalidHost(_:)`` or
    ///   ``HealthCheckError/invalidStatuses``.
    public init(
        path: String = "/", method: Method = .get, statuses: [ClosedRange<Int>] = usualStatuses, host: String? = nil
    ) throws(HealthCheckError) {
        let bytes = path.utf8
        guard bytes.first == UInt8(ascii: "/"), bytes.count <= Self.maxPathLength, bytes.allSatisfy(Self.isVisible),
            !bytes.contains(UInt8(ascii: "#"))
        else { throw .invalidPath(path) }
        if let host {
            guard (1...Self.maxHostLength).contains(host.utf8.count), host.utf8.allSatisfy(Self.isVisible) else {
                throw .invalidHost(host)
            }
        }
        guard !statuses.isEmpty,
            statuses.allSatisfy({
                Self.finalStatuses.contains($0.lowerBound) && Self.finalStatuses.contains($0.upperBound)
            })
        else { throw .invalidStatuses }
        self.path = path
        self.method = method
        self.statuses = statuses
        self.host = host
    }

    private static func isVisible(_ byte: UInt8) -> Bool { (0x21...0x7e).contains(byte) }

    /// Whether a response with this status passes.
    func passes(_ status: Int) -> Bool { statuses.contains { $0.contains(status) } }

    /// The head of the request, to a server at `address`.
    func request(to address: String) -> [UInt8] {
        let head =
            "\(method.rawValue) \(path) HTTP/1.1\r\nHost: \(host ?? address)\r\nUser-Agent: weir\r\nAccept: */*\r\n"
            + "Connection: close\r\n\r\n"
        return Array(head.utf8)
    }
}
