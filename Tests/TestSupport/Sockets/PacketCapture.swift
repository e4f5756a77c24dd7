import Glibc

/// Sees the packets of a network namespace (packet(7)), to look at their headers. It needs root.
package final class PacketCapture: Sendable {
    /// The header of a TCP or UDP packet.
    package struct Header: Hashable, Sendable {
        package var source: UInt16
        package var destination: UInt16
        /// The code point of RFC 2474.
        package var dscp: UInt8
    }

    private static let everyProtocol: UInt16 = 0x0003
    private let socket: TestSocket

    package init() throws {
        socket = TestSocket(
            adopting: try checked("socket(AF_PACKET), which needs root") {
                Glibc.socket(
                    AF_PACKET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
                    Int32(Self.everyProtocol.bigEndian))
            })
        try socket.set(SO_RCVBUF, to: 4 << 20)
    }

    /// The headers of all packets that have come since the last call.
    package func headers() throws -> [Header] {
        var headers: [Header] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while socket.isReadable() {
            let count = try checked("recv") { recv(socket.descriptor, &buffer, buffer.count, 0) }
            if let header = Self.header(buffer[..<count]) { headers.append(header) }
        }
        return headers
    }

    private static func header(_ packet: ArraySlice<UInt8>) -> Header? {
        guard let first = packet.first, packet.count >= 44 || (first >> 4 == 4 && packet.count >= 24) else {
            return nil
        }
        let isIPv4 = first >> 4 == 4
        let (next, length) = isIPv4 ? (packet[9], Int(first & 15) * 4) : (packet[6], 40)
        guard [UInt8(IPPROTO_TCP), UInt8(IPPROTO_UDP)].contains(next), packet.count >= length + 4 else { return nil }
        let trafficClass = isIPv4 ? packet[1] : first << 4 | packet[1] >> 4
        func port(_ at: Int) -> UInt16 { UInt16(packet[length + at]) << 8 | UInt16(packet[length + at + 1]) }
        return Header(source: port(0), destination: port(2), dscp: trafficClass >> 2)
    }
}
