import LinuxIO
import NetworkTypes

/// Finds the addresses of a name. Called on a thread that may block, for one name at most once at a time.
public protocol NameResolver: Sendable {
    /// Every address of `host`, best first; ports are ignored.
    func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress]
}

/// The system's resolver: files, DNS, whatever nsswitch.conf(5) says.
public struct SystemResolver: NameResolver {
    /// Asks getaddrinfo(3).
    public init() {}

    /// See ``NameResolver/resolve(_:)``.
    public func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
        try AddressLookup.resolve(host)
    }
}
