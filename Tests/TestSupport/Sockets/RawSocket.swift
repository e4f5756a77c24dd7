import Glibc

/// Sends IPv4 packets with arbitrary sources and lengths (raw(7)). It needs root.
package final class RawSocket: Sendable {
    private let socket: TestSocket

    package init() throws {
        socket = TestSocket(
            adopting: try checked("socket(SOCK_RAW), which needs root") {
                Glibc.socket(
                    AF_INET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
            })
        try socket.set(SO_SNDBUF, to: 1 << 20)
    }

    package func send(_ packet: UDPPacket) throws {
        let bytes = packet.bytes
        try packet.destination.withSocketAddress { address, length in
            _ = try checked("sendto \(packet.destination)") {
                sendto(socket.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }
}

/// A datagram with its headers (RFC 791, RFC 768), true or not. The kernel itself writes the packet's length and the
/// checksum of its header.
package struct UDPPacket: Sendable {
    package var source: Endpoint
    package var destination: Endpoint
    package var payload: [UInt8]
    /// The length of header and payload that the header states; nil for the true one.
    package var statedLength: UInt16?
    /// 0 is none.
    package var checksum: UInt16 = 0
    /// The part of the datagram with its header that the packet holds: all of it, unless it is a fragment.
    package var range: Range<Int>?
    /// Whether no fragment follows, wherever the packet ends.
    package var isLast = false
    /// The same for all fragments of a datagram.
    package var identifier: UInt16 = 0

    package init(from source: Endpoint, to destination: Endpoint, _ payload: [UInt8]) {
        self.source = source
        self.destination = destination
        self.payload = payload
    }

    /// All of it, or a fragment: its bytes must begin at a multiple of eight.
    package func fragment(_ range: Range<Int>, identifier: UInt16) -> UDPPacket {
        var packet = self
        packet.range = range
        packet.identifier = identifier
        return packet
    }

    var bytes: [UInt8] {
        let whole =
            Self.pair(source.port) + Self.pair(destination.port)
            + Self.pair(statedLength ?? UInt16(8 + payload.count)) + Self.pair(checksum) + payload
        let range = range ?? 0..<whole.count
        let moreFollow: UInt16 = range.upperBound < whole.count && !isLast ? 0x2000 : 0
        return [0x45, 0, 0, 0] + Self.pair(identifier) + Self.pair(UInt16(range.lowerBound / 8) | moreFollow)
            + [64, UInt8(IPPROTO_UDP), 0, 0] + Self.address(source.host) + Self.address(destination.host) + whole[range]
    }

    private static func pair(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

    private static func address(_ host: String) -> [UInt8] { host.split(separator: ".").compactMap { UInt8($0) } }
}

/// One datagram each from many source addresses of the loopback network, without a socket for each.
package struct ManySources {
    private let socket: RawSocket
    private let destination: Endpoint
    private var packet: [UInt8]

    package init(to destination: Endpoint, _ payload: [UInt8]) throws {
        socket = try RawSocket()
        self.destination = destination
        packet = UDPPacket(from: Endpoint("127.0.0.0", 0), to: destination, payload).bytes
    }

    /// Sends from 127.66.0.0 and the addresses after it, a thousand ports of each.
    package mutating func send(from numbers: Range<Int>) throws {
        try destination.withSocketAddress { address, length in
            for number in numbers {
                let host = number / 1_000
                let port = UInt16(2_000 + number % 1_000)
                packet.replaceSubrange(12..<16, with: [127, 66, UInt8(host / 250), UInt8(1 + host % 250)])
                packet.replaceSubrange(20..<22, with: [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)])
                _ = try checked("sendto \(destination)") {
                    socket.send(packet, address, length)
                }
            }
        }
    }
}

extension RawSocket {
    fileprivate func send(_ bytes: [UInt8], _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int {
        sendto(socket.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), address, length)
    }
}
