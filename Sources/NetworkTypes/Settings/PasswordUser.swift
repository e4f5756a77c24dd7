/// A text that no message, log or dump shows.
public struct Secret: Hashable, Sendable {
    /// The text itself.
    public let text: String

    /// Hides a text.
    public init(_ text: String) {
        self.text = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// A fixed text: the secret is never shown.
    public var description: String { "(secret)" }
    /// A fixed text: the secret is never shown.
    public var debugDescription: String { description }
    /// A fixed text: the secret is never shown.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A user who may log in with HTTP's basic authentication (RFC 7617).
public struct PasswordUser: Hashable, Sendable {
    /// The name, without a colon.
    public var name: String
    /// The password as crypt(5) writes it.
    public var hash: Secret

    /// Joins a name and a hash.
    public init(name: String, hash: Secret) {
        self.name = name
        self.hash = hash
    }

    /// Joins a name and a hash.
    public init(name: String, hash: String) {
        self.init(name: name, hash: Secret(hash))
    }
}
