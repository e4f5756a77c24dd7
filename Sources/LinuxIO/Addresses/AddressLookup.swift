import CLinux
import NetworkTypes

/// Look-ups in the system's resolver and list of interfaces. They block: never on an event loop.
public enum AddressLookup {
    /// The reason why a name has no address.
    public enum Failure: Error, Equatable, Sendable {
        /// The name does not exist, or has no address (`EAI_NONAME`, `EAI_NODATA`).
        case notFound
        /// The name servers were silent (`EAI_AGAIN` after the time that the resolver waits for one).
        case timedOut
        /// The name servers failed or refused, or there is none (`EAI_AGAIN`, `EAI_FAIL`, `EAI_SYSTEM`).
        case unavailable
    }

    /// The bound on addresses used of one name.
    public static let maxAddresses = 32
    private static let maxInterfaceAddresses = 1024

    /// getaddrinfo(3) for both families, in the order of RFC 6724, each address once.
    public static func resolve(_ name: String) throws(Failure) -> [SocketAddress] {
        var raw = [weir_address](repeating: weir_address(), count: maxAddresses)
        let count = unsafe weir_resolve(name, &raw, CInt(raw.count))
        if count == WEIR_RESOLVE_NOT_FOUND.rawValue { throw .notFound }
        if count == WEIR_RESOLVE_TIMED_OUT.rawValue { throw .timedOut }
        if count < 0 { throw .unavailable }
        return raw.prefix(Int(count)).map { SocketAddress($0) }
    }

    /// The addresses of this machine's interfaces (getifaddrs(3)).
    public static func interfaceAddresses() throws(SystemError) -> [IPAddress] {
        var raw = [weir_address](repeating: weir_address(), count: maxInterfaceAddresses)
        let count = unsafe weir_interface_addresses(&raw, CInt(raw.count))
        if count < 0 { throw SystemError(.interfaces, 0) }
        return raw.prefix(Int(count)).map { IPAddress(high: $0.high, low: $0.low) }
    }
}
