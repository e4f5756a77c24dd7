import Threading

/// The members of one configuration, in its order, for the selectors that are made under it. Immutable.
final class MemberLayout: Sendable {
    let configuration: BalanceConfiguration
    let records: [MemberRecord]
    /// Counts the configurations of the set: selectors of a new one do not begin with the same member.
    let generation: Int
    /// With ``BalanceMethod/maglev``: the places of the members that are no backups, and those of the backups.
    let places: [MaglevPlaces]
    let slowStart: UInt64

    init(_ configuration: BalanceConfiguration, records: [MemberRecord], generation: Int, places: [MaglevPlaces]) {
        self.configuration = configuration
        self.records = records
        self.generation = generation
        self.places = places
        slowStart = configuration.slowStart?.clampedNanoseconds ?? 0
    }

    var count: Int { records.count }
}
