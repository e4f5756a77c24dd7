public import NetworkTypes

/// A country by its two letters (ISO 3166-1).
public struct CountryCode: Hashable, Sendable, CustomStringConvertible {
    private let first: UInt8
    private let second: UInt8

    /// Two ASCII letters of either case; anything else is none.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 2, let first = bytes.first, let second = bytes.dropFirst().first else { return nil }
        guard let upperFirst = Self.upper(first), let upperSecond = Self.upper(second) else { return nil }
        self.first = upperFirst
        self.second = upperSecond
    }

    private static func upper(_ byte: UInt8) -> UInt8? {
        let upper = byte & 0xdf
        return byte >= UInt8(ascii: "A") && (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(upper) ? upper : nil
    }

    /// `DE`.
    public var description: String { String(decoding: [first, second], as: UTF8.self) }
}

/// One rule of an allow or deny list: the clients that it matches. The list says whether they are let in.
public struct AccessRule: Hashable, Sendable {
    /// The clients that a rule matches.
    public enum Target: Hashable, Sendable {
        /// `ip:`, one address.
        case address(IPAddress)
        /// `cidr:`, a block of addresses.
        case block(IPPrefix)
        /// `country:`, addresses that are there by the database.
        case country(CountryCode)
        /// `tz:`, addresses that are in this time zone by the database; in lower case, because names are compared
        /// so.
        case timezone(String)
        /// `name:`, clients whose verified certificate has this DNS name, or one below it.
        case name(ServerNamePattern)
    }

    /// The clients that it matches.
    public let target: Target

    /// A rule about these.
    public init(_ target: Target) {
        self.target = target
    }

    /// The kind of the rule.
    public var kind: AccessRuleKind {
        switch target {
        case .address: .ip
        case .block: .cidr
        case .country: .country
        case .timezone: .timezone
        case .name: .name
        }
    }

    /// The addresses that it names itself; nil where a database has to be asked, or a certificate.
    public var prefix: IPPrefix? {
        switch target {
        case .address(let address): IPPrefix(around: address, length: address.isIPv4 ? 32 : 128)
        case .block(let prefix): prefix
        case .country, .timezone, .name: nil
        }
    }

    /// Whether a database has to be asked where an address is.
    public var needsLocation: Bool {
        switch target {
        case .country, .timezone: true
        case .address, .block, .name: false
        }
    }
}
