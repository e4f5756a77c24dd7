public import NetworkTypes

/// The facts of a handshake, which headers and logs tell. Each text has at most 255 bytes, and comes from the peer
/// where nothing else is said.
public final class SecureSessionFacts: Sendable {
    /// The name that the client asked for (SNI); empty for none. It may hold any byte but NUL.
    public let serverName: String
    /// The protocol that was agreed on (ALPN), one of the server's own; empty for none.
    public let applicationProtocol: String
    /// The version that is spoken.
    public let version: TLSVersion
    /// Whether the handshake went on with the keys of an earlier connection.
    public let isResumed: Bool
    /// The cipher, by the library's name.
    public let cipher: String
    /// The verified certificate of the peer; nil where it has shown none.
    public let peer: Peer?

    /// The verified certificate of a peer. The texts have no control characters.
    public struct Peer: Sendable, Equatable {
        /// Its first DNS name, else its common name, in printable ASCII; empty for none.
        public let name: String
        /// Its common name; empty for none.
        public let commonName: String

        /// Joins both.
        public init(name: String, commonName: String) {
            self.name = name
            self.commonName = commonName
        }
    }

    /// Joins all of them.
    public init(
        serverName: String = "", applicationProtocol: String = "", version: TLSVersion, isResumed: Bool = false,
        cipher: String = "", peer: Peer? = nil
    ) {
        self.serverName = serverName
        self.applicationProtocol = applicationProtocol
        self.version = version
        self.isResumed = isResumed
        self.cipher = cipher
        self.peer = peer
    }
}
