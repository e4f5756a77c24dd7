// Addresses, blocks and verdicts are part of this module's interface: a program that imports it names them, too.
@_exported import NetworkTypes

// Closed enumerations: each raw value is a metric label and the word in the log.

/// The kind of the rule that decided.
public enum AccessRuleKind: String, CaseIterable, Sendable {
    /// One address.
    case ip
    /// A block of addresses.
    case cidr
    /// A country, from a MaxMind database.
    case country
    /// A time zone, from a MaxMind database.
    case timezone
    /// A name in the client's verified certificate.
    case name
    /// Loopback, or an address that only private networks use.
    case local
    /// No rule: the default.
    case `default`
}

/// The owner of the rule that decided.
public enum AccessScope: String, CaseIterable, Sendable {
    /// The route's own.
    case route
    /// One for every route.
    case global
}
