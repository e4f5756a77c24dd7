/// How a page is coded on the wire (RFC 9110 section 8.4).
public enum ContentEncoding: String, CaseIterable, Sendable {
    /// As it is.
    case identity
    /// RFC 1952.
    case gzip
}
