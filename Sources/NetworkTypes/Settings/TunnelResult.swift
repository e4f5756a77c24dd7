/// The result of a request to an agent. Each raw value is a metric label and the word in the log.
public enum TunnelResult: String, CaseIterable, Sendable {
    /// The destination was connected.
    case ok
    /// The version of the request is not spoken.
    case version
    /// The checksum of the request does not match.
    case checksum
    /// The request is malformed, or ended too early.
    case malformed
    /// The request did not come in time.
    case timeout
    /// The list does not allow the destination, or the certificate opens no tunnels.
    case denied
    /// The destination could not be reached, or its name has no address.
    case dialFailed = "dial_failed"
    /// The certificate has as many connections as it may have.
    case limit
    /// It was a probe.
    case probe
}
