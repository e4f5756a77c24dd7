/// The members that a host name stands for.
public enum NameMembers: String, CaseIterable, Sendable {
    /// One: its addresses are tried in turn, as those of one server.
    case one
    /// One for each of its addresses.
    case all
}

/// The settings of upstreams that are names.
public struct NameSettings: Hashable, Sendable {
    /// The members that a host name stands for. A service (SRV) has one for each of its records in any case.
    public var members = NameMembers.one
    /// The shortest time between two lookups of the members, where the records live for less.
    public var refresh = Duration.seconds(5)

    /// The bounds of ``refresh``.
    public static let refreshBounds: ClosedRange<Duration> = .seconds(1) ... .seconds(30)

    /// Creates the defaults.
    public init() {}
}
