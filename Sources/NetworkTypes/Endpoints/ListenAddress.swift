/// The endpoint on which a stream listens: a network, an address (or every address), and a port (0: the kernel
/// chooses).
public struct ListenAddress: Hashable, Sendable {
    /// The transport and families.
    public let network: Network
    /// The address to bind. For every address of both families it is `::`.
    public let address: ScopedAddress
    /// The port to bind; 0 leaves it to the kernel.
    public let port: UInt16

    /// Binds `address`, or every address of the network's families where it is nil.
    /// - Throws: ``EndpointError/addressFamilyMismatch(_:)`` where the network excludes the address's family.
    public init(_ network: Network, address: ScopedAddress? = nil, port: UInt16) throws(EndpointError) {
        self.network = network
        self.address = address ?? ScopedAddress(network.wildcard)
        self.port = port
        guard network.allows(self.address.ip) else { throw .addressFamilyMismatch(description) }
    }

    /// Binds an address of either family.
    public init(over transport: Transport, address: ScopedAddress, port: UInt16) {
        network = transport == .tcp ? .tcp : .udp
        self.address = address
        self.port = port
    }

    /// Reads `tcp://127.0.0.1:8080`, `udp6://[::1]:53` or `tcp4://:2222` (every address).
    public init(_ text: String) throws(EndpointError) {
        guard let (scheme, rest) = splitScheme(text), let network = Network(rawValue: String(scheme)),
            let parts = HostAndPort(rest), let port = parts.portNumber
        else { throw .invalidListenAddress(text) }
        if parts.host.isEmpty, !parts.isBracketed {
            try self.init(network, port: port)
            return
        }
        let address: ScopedAddress
        do throws(ScopedAddress.ParseError) {
            address = try ScopedAddress(parsing: parts.host)
        } catch {
            throw .invalidListenAddress(text)
        }
        try self.init(network, address: address, port: port)
    }

    /// Whether one IPv6 socket takes the clients of both families.
    public var isDualStack: Bool { network.isDualStack(at: address.ip) }

    /// The address without its port, in words for logs and labels: `0.0.0.0`, `[::1]`, or `*` for every address of both
    /// families.
    public var hostText: String { isDualStack ? "*" : address.bracketed }

    /// The listener in words for logs and labels: `tcp4://0.0.0.0:2222`, or `tcp://*:2222` for every address.
    public var label: String { "\(network.rawValue)://\(hostText):\(port)" }

    /// The address and port without the scheme: `127.0.0.1:8080`, `[::1]:53`.
    public var addressText: String { "\(address.bracketed):\(port)" }
}

extension ListenAddress: CustomStringConvertible {
    /// `tcp4://0.0.0.0:2222`.
    public var description: String { "\(network.rawValue)://\(addressText)" }
}
