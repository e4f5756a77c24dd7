/// A text that no message, log or dump shows.
public struct Secret: Sendable, Hashable {
    /// What it is.
    public let text: String

    /// Hides a text.
    public init(_ text: String) {
        self.text = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Nothing of it.
    public var description: String { "(secret)" }
    /// Nothing of it.
    public var debugDescription: String { description }
    /// Nothing of it.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// `exporter.auth:`, who may read the exporter's pages.
public struct ExporterAuthentication: Sendable, Equatable {
    /// Somebody with a password.
    public struct User: Sendable, Hashable {
        /// Without a colon.
        public var name: String
        /// The password as crypt(5) writes it.
        public var hash: Secret

        /// Joins a name and a hash.
        public init(name: String, hash: Secret) {
            self.name = name
            self.hash = hash
        }
    }

    /// The lines of `bearer_token_file`: each opens every page.
    public var tokens: [Secret]
    /// Names with passwords.
    public var basic: Basic

    /// `exporter.auth.basic:`, with distinct names.
    public struct Basic: Sendable, Equatable {
        /// Those of the configuration itself.
        public var users: [User]
        /// Those of `users_file`.
        public var fileUsers: [User]

        /// Makes the section; nothing in it unless told.
        public init(users: [User] = [], fileUsers: [User] = []) {
            self.users = users
            self.fileUsers = fileUsers
        }
    }

    /// All users, wherever they are named.
    public var users: [User] { basic.users + basic.fileUsers }

    /// Makes the section; nothing in it unless told.
    public init(tokens: [Secret] = [], users: [User] = []) {
        self.tokens = tokens
        basic = Basic(users: users)
    }
}
