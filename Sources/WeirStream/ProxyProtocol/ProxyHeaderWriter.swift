import LinuxIO

/// Serializes PROXY headers (proxy-protocol.txt of HAProxy). Pure.
///
/// A header has one address family: where one address is IPv6, an IPv4 one is written in its mapped form (RFC 4291
/// section 2.5.5.2).
public enum ProxyHeaderWriter {
    /// Returns the header of a TCP stream. In version 2 it tells the facts of the client's handshake, where there was
    /// one.
    public static func bytes(
        _ version: ProxyHeader.Version, for addresses: ProxyHeader.Addresses, _ facts: SecureSessionFacts? = nil
    ) -> [UInt8] {
        switch version {
        case .v1: line(for: addresses)
        case .v2: binary(for: addresses, .tcp, fields: facts.map { ProxyHeaderFields.bytes(of: $0) } ?? [])
        }
    }

    /// Returns the header of a TCP stream whose client has no IP address: `UNKNOWN` in version 1, the command LOCAL in
    /// version 2. The upstream takes the connection for one of the proxy itself.
    static func bytesWithoutAddresses(_ version: ProxyHeader.Version) -> [UInt8] {
        switch version {
        case .v1: Array("PROXY UNKNOWN\r\n".utf8)
        case .v2: ProxyHeaderParser.signatureOfV2 + [0x20, 0, 0, 0]
        }
    }

    /// Returns the header of a datagram, always of version 2.
    public static func datagramBytes(for addresses: ProxyHeader.Addresses) -> [UInt8] {
        binary(for: addresses, .udp)
    }

    /// The longest header of a datagram in bytes: version 2 with two IPv6 addresses.
    static let maxDatagramHeaderLength = 16 + 36

    private static func isIPv4(_ addresses: ProxyHeader.Addresses) -> Bool {
        addresses.source.ip.isIPv4 && addresses.destination.ip.isIPv4
    }

    private static func line(for addresses: ProxyHeader.Addresses) -> [UInt8] {
        let isIPv4 = isIPv4(addresses)
        let hosts = [addresses.source.ip, addresses.destination.ip].map { ip in
            ip.isIPv4 && !isIPv4 ? "::ffff:\(ip)" : "\(ip)"
        }
        let family = isIPv4 ? "TCP4" : "TCP6"
        let ports = "\(addresses.source.port) \(addresses.destination.port)"
        return Array("PROXY \(family) \(hosts[0]) \(hosts[1]) \(ports)\r\n".utf8)
    }

    private static func binary(
        for addresses: ProxyHeader.Addresses, _ transport: Transport, fields: [UInt8] = []
    ) -> [UInt8] {
        let isIPv4 = isIPv4(addresses)
        var bytes = ProxyHeaderParser.signatureOfV2
        bytes.reserveCapacity(maxDatagramHeaderLength + fields.count)
        bytes.append(0x21)
        bytes.append((isIPv4 ? 0x10 : 0x20) | (transport == .tcp ? 1 : 2))
        append(UInt64((isIPv4 ? 12 : 36) + fields.count), count: 2, to: &bytes)
        for address in [addresses.source, addresses.destination] {
            if isIPv4 {
                append(UInt64(address.ip.v4Bits), count: 4, to: &bytes)
            } else {
                append(address.ip.high, count: 8, to: &bytes)
                append(address.ip.low, count: 8, to: &bytes)
            }
        }
        append(UInt64(addresses.source.port), count: 2, to: &bytes)
        append(UInt64(addresses.destination.port), count: 2, to: &bytes)
        return bytes + fields
    }

    /// Appends the lowest `count` bytes of a value in network byte order.
    private static func append(_ value: UInt64, count: Int, to bytes: inout [UInt8]) {
        for index in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
}
