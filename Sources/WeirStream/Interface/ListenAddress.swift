import LinuxIO
import NetworkTypes

/// Where a stream listens: a network and an address, perhaps every address, perhaps a port that the kernel chooses.
public struct ListenAddress: Hashable, Sendable {
    /// The transport and families.
    public let network: Network
    /// The address and port to bind. For every address of both families it is `[::]`.
    public let address: SocketAddress

    /// Whether one IPv6 socket takes the clients of both families.
    public var isDualStack: Bool { network.allowsIPv4 && network.allowsIPv6 && address.ip == .anyIPv6 }

    /// Binds `address`, or every address of the network's families where it is nil.
    /// - Throws: ``StreamError/addressFamilyMismatch(_:)`` where the network excludes the address's family.
    public init(_ network: Network, ip: IPAddress? = nil, scope: UInt32 = 0, port: UInt16) throws(StreamError) {
        let chosen = ip ?? (network.allowsIPv6 ? .anyIPv6 : .anyIPv4)
        guard chosen.isIPv4 ? network.allowsIPv4 : network.allowsIPv6 else {
            throw .addressFamilyMismatch("\(network.rawValue)://\(SocketAddress(chosen, port: port))")
        }
        self.network = network
        self.address = SocketAddress(chosen, port: port, scope: scope)
    }

    /// Reads `tcp://127.0.0.1:8080`, `udp6://[::1]:53` or `tcp4://:2222` (every address).
    public init(_ text: String) throws(StreamError) {
        guard let (scheme, rest) = Self.splitScheme(text), let network = Network(rawValue: scheme) else {
            throw .invalidListenAddress(text)
        }
        if rest.first == ":", let port = SocketAddress.port(rest.dropFirst()) {
            try self.init(network, port: port)
            return
        }
        guard let address = SocketAddress(rest) else { throw .invalidListenAddress(text) }
        try self.init(network, ip: address.ip, scope: address.scope, port: address.port)
    }

    private static func splitScheme(_ text: String) -> (scheme: String, rest: String)? {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].hasPrefix("//") else { return nil }
        return (String(parts[0]), String(parts[1].dropFirst(2)))
    }
}

extension ListenAddress: CustomStringConvertible {
    /// `tcp4://0.0.0.0:2222`.
    public var description: String { "\(network.rawValue)://\(address)" }
}
