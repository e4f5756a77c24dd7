public import NetworkTypes

/// The location of an address, as a database has it.
public struct AddressLocation: Hashable, Sendable {
    /// The country, where the database names one.
    public var country: CountryCode?
    /// The time zone, `Europe/Berlin`, where the database names one.
    public var timezone: String?

    /// Nothing is known, or this.
    public init(country: CountryCode? = nil, timezone: String? = nil) {
        self.country = country
        self.timezone = timezone
    }
}

/// A source of the locations of addresses.
public protocol AddressLocator: Sendable {
    /// Called on the workers: does not block, and takes no lock. An address without an entry is nowhere.
    func location(of address: IPAddress) -> AddressLocation
}
