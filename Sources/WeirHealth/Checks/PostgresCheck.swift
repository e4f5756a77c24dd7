/// The beginning of a PostgreSQL session ("Message Flow" and "Message Formats" in the manual's chapter
/// "Frontend/Backend Protocol"): a StartupMessage, to which a server that takes sessions answers with a demand for
/// authentication.
///
/// It has no password and needs none: the check ends where the server asks for one. A server logs nothing then.
public struct PostgresCheck: Hashable, Sendable {
    /// The user that the session begins for. It need not exist.
    public let user: String
    /// The database; nil for the one that has the user's name.
    public let database: String?

    /// The longest name that a server takes (`NAMEDATALEN` less one).
    private static let maxNameLength = 63
    /// Protocol 3.0, which every server since 7.4 speaks.
    private static let version: UInt32 = 3 << 16

    /// A session of a user.
    /// - Throws: ``HealthCheckError/invalidIdentifier(_:)``.
    public init(user: String = "weir", database: String? = nil) throws(HealthCheckError) {
        for name in [user, database ?? user] {
            guard (1...Self.maxNameLength).contains(name.utf8.count), !name.utf8.contains(0) else {
                throw .invalidIdentifier(name)
            }
        }
        self.user = user
        self.database = database
    }

    /// The StartupMessage.
    var startup: [UInt8] {
        var body: [UInt8] = []
        body.append(bigEndian: Self.version)
        var parameters = ["user", user]
        if let database { parameters += ["database", database] }
        for text in parameters + ["application_name", "weir"] {
            body += Array(text.utf8)
            body.append(0)
        }
        body.append(0)
        var message: [UInt8] = []
        message.append(bigEndian: UInt32(truncatingIfNeeded: body.count + 4))
        return message + body
    }
}
