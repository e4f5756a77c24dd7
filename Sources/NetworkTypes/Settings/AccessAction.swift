/// The verdict of access rules over a client; each raw value is a metric label and the word in the log.
public enum AccessAction: String, CaseIterable, Sendable {
    /// It may pass.
    case allow
    /// It is turned away.
    case deny
}
