/// The rights that a client's certificate gives it on an agent.
public struct AgentRole: OptionSet, Sendable {
    /// One bit for each right.
    public let rawValue: UInt8

    /// Creates a set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// To open tunnels, and to ask for every page.
    public static let client = AgentRole(rawValue: 1)
    /// To ask for `/metrics` and `/healthz`.
    public static let scraper = AgentRole(rawValue: 2)

    /// The beginning of the names (URIs) of roles in a certificate.
    static let prefix = "urn:weir:agent:"
    /// The name of ``client``.
    public static let clientName = prefix + "client"
    /// The name of ``scraper``.
    public static let scraperName = prefix + "scraper"

    /// The rights by the URIs of a certificate. One without any role is of a client: those that GoDoxy makes have
    /// none.
    init(uris: some Sequence<some StringProtocol>) {
        var role: AgentRole = []
        var hasRole = false
        for uri in uris where uri.hasPrefix(Self.prefix) {
            hasRole = true
            if uri == Self.clientName { role.insert(.client) }
            if uri == Self.scraperName { role.insert(.scraper) }
        }
        self = hasRole ? role : .client
    }
}
