/// Why a text is neither an address to listen on nor an upstream, or why its parts do not fit each other.
public enum EndpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is not `scheme://address:port`, and no Unix socket.
    case invalidListenAddress(String)
    /// The text is not `host:port`, and no Unix socket.
    case invalidUpstream(String)
    /// An IPv6 address on an IPv4 network, or the other way round.
    case addressFamilyMismatch(String)

    /// One line for people.
    public var description: String {
        switch self {
        case .invalidListenAddress(let text):
            "\"\(text)\" is not an address to listen on; expected scheme://address:port with one of the schemes "
                + Network.allCases.map(\.rawValue).joined(separator: ", ") + ", or unix:/path"
        case .invalidUpstream(let text): "\"\(text)\" is not an upstream; expected host:port or unix:/path"
        case .addressFamilyMismatch(let text): "\(text): the address is of a family that the scheme excludes"
        }
    }
}
