public import WeirTLS

/// The certificates with which a client and its agent know each other.
public struct AgentCredentials: Sendable, Equatable {
    /// The certificate of the agent's authority, PEM: nothing else is trusted.
    public let authority: [UInt8]
    /// The client's own certificate with its key, PEM.
    public let own: CertificateBytes

    /// Joins the parts.
    public init(authority: [UInt8], own: CertificateBytes) {
        self.authority = authority
        self.own = own
    }
}
