/// The host to dial: a name to resolve, an address, or a Unix socket of this machine.
public enum UpstreamHost: Hashable, Sendable {
    /// A host name, as configured.
    case name(String)
    /// An address that needs no resolving.
    case address(ScopedAddress)
    /// A Unix stream socket, which has no port.
    case unix(UnixSocketPath)

    /// The host that a text names: an address where it is a literal, a Unix socket where it is `unix:` and a path, else
    /// a name, whatever it holds. No brackets.
    public init(_ text: some StringProtocol) {
        if let path = UnixSocketPath(prefixed: text) {
            self = .unix(path)
            return
        }
        self = ScopedAddress(text).map { .address($0) } ?? .name(String(text))
    }

    /// Whether it has to be resolved.
    public var isName: Bool {
        if case .name = self { true } else { false }
    }

    /// The Unix socket, if it is one.
    public var unixPath: UnixSocketPath? {
        if case .unix(let path) = self { path } else { nil }
    }

    /// The text with brackets around an IPv6 address, ready for a `:port` behind it.
    public var bracketed: String {
        switch self {
        case .name(let name): name
        case .address(let address): address.bracketed
        case .unix(let path): path.description
        }
    }
}

extension UpstreamHost: CustomStringConvertible {
    /// The name as configured, the address in its canonical form without brackets, or `unix:` and the path.
    public var description: String {
        switch self {
        case .name(let name): name
        case .address(let address): address.description
        case .unix(let path): path.description
        }
    }
}
