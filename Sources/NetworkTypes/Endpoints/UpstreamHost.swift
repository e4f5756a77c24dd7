/// The host to dial: a name to resolve, or an address.
public enum UpstreamHost: Hashable, Sendable {
    /// A host name, as configured.
    case name(String)
    /// An address that needs no resolving.
    case address(ScopedAddress)

    /// The host that a text names: an address where it is a literal, else a name, whatever it holds. No brackets.
    public init(_ text: some StringProtocol) {
        self = ScopedAddress(text).map { .address($0) } ?? .name(String(text))
    }

    /// Whether it has to be resolved.
    public var isName: Bool {
        if case .name = self { true } else { false }
    }

    /// The text with brackets around an IPv6 address, ready for a `:port` behind it.
    public var bracketed: String {
        switch self {
        case .name(let name): name
        case .address(let address): address.bracketed
        }
    }
}

extension UpstreamHost: CustomStringConvertible {
    /// The name as configured, or the address in its canonical form without brackets.
    public var description: String {
        switch self {
        case .name(let name): name
        case .address(let address): address.description
        }
    }
}
