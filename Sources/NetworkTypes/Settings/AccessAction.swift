/// The verdict of access rules over a client; each raw value is a metric label and the word in the log.
public enum AccessAction: String, CaseIterable, Sendable {
    /// The client may pass.
    case allow
    /// The client is refused.
    case deny
}
