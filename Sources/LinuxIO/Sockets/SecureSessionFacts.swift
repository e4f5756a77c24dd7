public import NetworkTypes

/// The facts of a client's handshake, which headers and logs tell. The names come from the client; those of more than
/// 255 bytes are left out, and bytes that are no UTF-8 are replaced.
public final class SecureSessionFacts: Sendable {
    /// The name that the client asked for (SNI); empty for none. It is not verified, and may hold any character but
    /// NUL.
    public let serverName: String
    /// The protocol that was agreed on (ALPN), one of the server's own; empty for none.
    public let applicationProtocol: String
    /// The version of TLS that is spoken.
    public let version: TLSVersion
    /// Whether the handshake went on with the keys of an earlier connection.
    public let isResumed: Bool
    /// The cipher, by the name that the library of TLS gives it.
    public let cipher: String
    /// The verified certificate of the peer; nil where it has shown none.
    public let peer: Peer?

    /// The names in the verified certificate of a peer, without control characters.
    public struct Peer: Sendable, Equatable {
        /// Its first DNS name, else its common name, in printable ASCII; empty for none.
        public let name: String
        /// Its common name; empty for none.
        public let commonName: String

        /// Joins both names.
        public init(name: String, commonName: String) {
            self.name = name
            self.commonName = commonName
        }
    }

    /// Joins the facts.
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
