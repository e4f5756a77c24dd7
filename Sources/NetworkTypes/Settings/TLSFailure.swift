/// The reason why a handshake failed.
public enum TLSFailure: String, CaseIterable, Sendable {
    // The order is that of the numbers in `CTLS.h`.

    /// The peer showed no certificate.
    case noCertificate = "no_certificate"
    /// The peer's certificate comes from no authority that is trusted here.
    case unknownAuthority = "unknown_ca"
    /// The peer's certificate has ended, or has not begun.
    case expired
    /// The peer's certificate is for another name; or the client asked for a name that the route does not have.
    case name
    /// No version of TLS in common.
    case version
    /// No cipher, group or signature in common.
    case cipher
    /// The peer ended the handshake with an alert.
    case alert
    /// The handshake took too long.
    case timeout
    /// The peer closed or reset the connection.
    case closed
    /// The peer's bytes are no TLS, or break its rules; or no protocol (ALPN) is in common.
    case `protocol`
    /// Anything else.
    case other
}

/// A side of a connection, whose peer takes part in a handshake.
public enum TLSSide: String, CaseIterable, Sendable {
    /// The client's: Weir is the server.
    case client
    /// The upstream's: Weir is the client.
    case upstream
}
