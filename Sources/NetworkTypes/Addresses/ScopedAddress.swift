/// An address as it is configured: a link-local IPv6 address has an interface (RFC 4007 section 11).
///
/// The interface stays as written, a name or a number. Its index is looked up only when the address is used, because
/// interfaces come and go.
public struct ScopedAddress: Hashable, Sendable {
    /// The address.
    public let ip: IPAddress
    /// The interface's name or number, without the `%`.
    public let interface: String?

    /// An address, and perhaps its interface.
    public init(_ ip: IPAddress, interface: String? = nil) {
        self.ip = ip
        self.interface = interface
    }

    /// `0.0.0.0`.
    public static let anyIPv4 = ScopedAddress(.anyIPv4)
    /// `::`.
    public static let anyIPv6 = ScopedAddress(.anyIPv6)
    /// `127.0.0.1`.
    public static let loopbackIPv4 = ScopedAddress(.loopbackIPv4)
    /// `::1`.
    public static let loopbackIPv6 = ScopedAddress(.loopbackIPv6)

    /// The text with brackets around an IPv6 address, ready for a `:port` behind it.
    public var bracketed: String { ip.isIPv4 ? description : "[\(description)]" }
}

extension ScopedAddress: CustomStringConvertible {
    /// `192.0.2.1`, `2001:db8::1` or `fe80::1%eth0`.
    public var description: String { interface.map { "\(ip)%\($0)" } ?? ip.description }
}

extension ScopedAddress {
    /// Why a text is no address.
    public enum ParseError: Error, Hashable, Sendable {
        /// Neither a dotted quad nor IPv6 text.
        case malformedAddress
        /// A colon says that IPv6 was meant, and the text is none.
        case malformedIPv6Address
        /// The part behind the `%` cannot be an interface.
        case malformedInterface
    }

    /// An interface's name has at most 15 bytes (`IFNAMSIZ` with the closing zero).
    private static let maxInterfaceLength = 15

    /// Reads an address literal as ``IPAddress/init(_:)`` does; behind IPv6 text `%eth0` or `%2` may follow.
    public init(parsing bytes: ArraySlice<UInt8>) throws(ParseError) {
        guard bytes.contains(UInt8(ascii: ":")) else {
            guard let ip = IPAddress(parsing: bytes) else { throw .malformedAddress }
            self.init(ip)
            return
        }
        guard let percent = bytes.firstIndex(of: UInt8(ascii: "%")) else {
            guard let ip = IPAddress(parsing: bytes) else { throw .malformedIPv6Address }
            self.init(ip)
            return
        }
        let name = bytes[(percent + 1)...]
        guard (1...Self.maxInterfaceLength).contains(name.count), name.allSatisfy(Self.isInterfaceByte) else {
            throw .malformedInterface
        }
        let literal = bytes[..<percent]
        guard literal.contains(UInt8(ascii: ":")), let ip = IPAddress(parsing: literal) else {
            throw .malformedIPv6Address
        }
        self.init(ip, interface: String(decoding: name, as: UTF8.self))
    }

    /// Reads what ``init(parsing:)`` reads; nil where the text is no address.
    public init?(_ text: some StringProtocol) {
        do throws(ParseError) {
            try self.init(parsing: Array(text.utf8)[...])
        } catch {
            return nil
        }
    }

    private static func isInterfaceByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
