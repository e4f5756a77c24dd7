import LinuxIO
import NetworkTypes

/// Resolves names to addresses. The engine calls it on a thread that may block, and never twice at once for one name.
public protocol NameResolver: Sendable {
    /// Returns every address of `host`, the preferred one first; ports are ignored.
    func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress]
}

/// The system's resolver, getaddrinfo(3): the sources of nsswitch.conf(5), such as files and DNS.
public struct SystemResolver: NameResolver {
    /// Creates the resolver.
    public init() {}

    /// See ``NameResolver/resolve(_:)``.
    public func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
        try AddressLookup.resolve(host)
    }
}
