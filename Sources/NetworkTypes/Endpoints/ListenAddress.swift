/// The endpoint on which a stream listens: a network, an address (or every address), and a port (0: the kernel
/// chooses); or a Unix socket, for TCP.
public struct ListenAddress: Hashable, Sendable {
    /// The transport and families.
    public let network: Network
    /// The address to bind. For every address of both families it is `::`.
    public let address: ScopedAddress
    /// The port to bind; 0 leaves it to the kernel.
    public let port: UInt16
    /// The Unix socket to listen on, in place of the address and the port; nil for IP.
    public let path: UnixSocketPath?

    /// Listens on a Unix socket, for connections.
    public init(_ path: UnixSocketPath) {
        network = .tcp
        address = .anyIPv6
        port = 0
        self.path = path
    }

    /// Binds `address`, or every address of the network's families where it is nil.
    /// - Throws: ``EndpointError/addressFamilyMismatch(_:)`` where the network excludes the address's family.
    public init(_ network: Network, address: ScopedAddress? = nil, port: UInt16) throws(EndpointError) {
        self.network = network
        self.address = address ?? ScopedAddress(network.wildcard)
        self.port = port
        path = nil
        guard network.allows(self.address.ip) else { throw .addressFamilyMismatch(description) }
    }

    /// Binds an address of either family.
    public init(over transport: Transport, address: ScopedAddress, port: UInt16) {
        network = transport == .tcp ? .tcp : .udp
        self.address = address
        self.port = port
        path = nil
    }

    /// Reads `tcp://127.0.0.1:8080`, `udp6://[::1]:53`, `tcp4://:2222` (every address), `unix:/run/weir/db.sock` or
    /// `unix:@name`.
    public init(_ text: String) throws(EndpointError) {
        if let path = UnixSocketPath(prefixed: text) {
            self.init(path)
            return
        }
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
    public var isDualStack: Bool { path == nil && network.isDualStack(at: address.ip) }

    /// The listener in words for logs and labels: `tcp4://0.0.0.0:2222`, `tcp://*:2222` for every address, or
    /// `unix:/run/weir/db.sock`.
    public var label: String {
        path?.description ?? "\(network.rawValue)://\(isDualStack ? "*" : address.bracketed):\(port)"
    }

    /// The address and port without the scheme: `127.0.0.1:8080`, `[::1]:53`; or `unix:` and the path.
    public var addressText: String { path?.description ?? "\(address.bracketed):\(port)" }
}

extension ListenAddress: CustomStringConvertible {
    /// `tcp4://0.0.0.0:2222` or `unix:/run/weir/db.sock`.
    public var description: String { path?.description ?? "\(network.rawValue)://\(addressText)" }
}
