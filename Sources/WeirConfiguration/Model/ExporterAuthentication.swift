import NetworkTypes

/// `exporter.auth:`, who may read the exporter's pages.
public struct ExporterAuthentication: Sendable, Equatable {
    /// The lines of `bearer_token_file`: each opens every page.
    public var tokens: [Secret]
    /// Names with passwords.
    public var basic: Basic

    /// `exporter.auth.basic:`, with distinct names.
    public struct Basic: Sendable, Equatable {
        /// The users of the configuration itself.
        public var users: [PasswordUser]
        /// The users of `users_file`.
        public var fileUsers: [PasswordUser]

        /// Makes the section; nothing in it unless told.
        public init(users: [PasswordUser] = [], fileUsers: [PasswordUser] = []) {
            self.users = users
            self.fileUsers = fileUsers
        }
    }

    /// All users, wherever they are named.
    public var users: [PasswordUser] { basic.users + basic.fileUsers }

    /// Makes the section; nothing in it unless told.
    public init(tokens: [Secret] = [], users: [PasswordUser] = []) {
        self.tokens = tokens
        basic = Basic(users: users)
    }
}
