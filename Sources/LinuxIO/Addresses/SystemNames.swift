import CLinux
import NetworkTypes

/// Names and local addresses, as the system's resolver and interfaces give them. These calls block: never on a loop.
public enum SystemNames {
    /// Why a name gave no address.
    public enum Failure: Error, Equatable, Sendable {
        /// The name does not exist, or has no address (`EAI_NONAME`, `EAI_NODATA`).
        case notFound
        /// The resolver could not say (`EAI_AGAIN`, `EAI_FAIL`, `EAI_SYSTEM`).
        case unavailable
    }

    /// At most this many addresses of one name are used.
    public static let mostAddresses = 32
    private static let mostInterfaces = 1024

    /// getaddrinfo(3) for both families, in the order of RFC 6724, each address once.
    public static func resolve(_ name: String) throws(Failure) -> [SocketAddress] {
        var raw = [weir_address](repeating: weir_address(), count: mostAddresses)
        let count = unsafe weir_resolve(name, &raw, CInt(raw.count))
        if count == WEIR_RESOLVE_NOT_FOUND.rawValue { throw .notFound }
        if count < 0 { throw .unavailable }
        return raw.prefix(Int(count)).map { SocketAddress($0) }
    }

    /// The addresses of this machine's interfaces (getifaddrs(3)).
    public static func interfaceAddresses() throws(SystemError) -> [IPAddress] {
        var raw = [weir_address](repeating: weir_address(), count: mostInterfaces)
        let count = unsafe weir_interface_addresses(&raw, CInt(raw.count))
        if count < 0 { throw SystemError(.interfaces, 0) }
        return raw.prefix(Int(count)).map { IPAddress(high: $0.high, low: $0.low) }
    }
}
