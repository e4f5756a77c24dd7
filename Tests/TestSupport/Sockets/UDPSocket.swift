import Foundation
import Synchronization

/// A datagram socket, blocking, with room for bursts.
package final class UDPSocket: Sendable {
    package struct Datagram: Equatable, Sendable {
        package var bytes: [UInt8]
        package var source: Endpoint
    }

    private let socket: TestSocket

    /// Bound to the given address; any port by default.
    package init(bindingTo local: Endpoint = Endpoint(0), buffer: Int32 = 4 << 20) throws {
        socket = try TestSocket(family: local.family, type: SOCK_DGRAM)
        try socket.set(SO_RCVBUF, to: buffer)
        try socket.set(SO_SNDBUF, to: buffer)
        try socket.bind(to: local)
    }

    package var localEndpoint: Endpoint { get throws { try socket.localEndpoint } }

    /// Connects the socket: only datagrams of this peer arrive, and its port unreachable answers become errors.
    package func connect(to endpoint: Endpoint) throws { try socket.connect(to: endpoint) }

    /// Makes the kernel cut each send into datagrams of this size and a shorter last one (udp(7), `UDP_SEGMENT`). They
    /// arrive in one piece if the receiver accepts that (`UDP_GRO`), else one by one.
    package func cutSends(into size: Int) throws {
        try socket.set(103, level: Int32(IPPROTO_UDP), to: Int32(size))
    }

    /// Allows sends to broadcast addresses.
    package func allowBroadcast() throws { try socket.set(SO_BROADCAST, to: 1) }

    /// Joins an IPv4 multicast group on the loopback interface, where the socket then also sends to groups.
    package func joinGroup(_ group: String) throws {
        var request = ip_mreq()
        guard inet_pton(AF_INET, group, &request.imr_multiaddr) == 1 else { throw SystemFailure("inet_pton \(group)") }
        request.imr_interface.s_addr = in_addr_t(0x7f00_0001).bigEndian
        try checked("setsockopt IP_ADD_MEMBERSHIP") {
            setsockopt(
                socket.descriptor, Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, &request,
                socklen_t(MemoryLayout<ip_mreq>.size))
        }
        try checked("setsockopt IP_MULTICAST_IF") {
            setsockopt(
                socket.descriptor, Int32(IPPROTO_IP), IP_MULTICAST_IF, &request.imr_interface,
                socklen_t(MemoryLayout<in_addr>.size))
        }
    }

    package func setTimeouts(seconds: Int) throws { try socket.setTimeouts(seconds: seconds) }
    package func isReadable(within milliseconds: Int32 = 0) -> Bool { socket.isReadable(within: milliseconds) }
    package func close() { socket.close() }

    package func send(_ bytes: [UInt8], to endpoint: Endpoint) throws {
        try endpoint.withSocketAddress { address, length in
            let sent = try checked("sendto \(endpoint)") {
                bytes.withUnsafeBytes {
                    sendto(socket.descriptor, $0.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), address, length)
                }
            }
            guard sent == bytes.count else { throw SystemFailure("sendto: datagram cut short", code: EMSGSIZE) }
        }
    }

    /// The next datagram; throws with `EAGAIN` when none came in time.
    package func receive() throws -> Datagram {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var count = 0
        let source = try Endpoint.read("recvfrom") { address, length in
            count = try checked("recvfrom") {
                recvfrom(socket.descriptor, &buffer, buffer.count, 0, address, length)
            }
        }
        return Datagram(bytes: Array(buffer[..<count]), source: source)
    }
}

/// A datagram server on a thread of its own: each datagram goes to a function that returns the replies.
package final class UDPServer: Sendable {
    package let endpoint: Endpoint
    private let socket: UDPSocket
    private let stopped = Atomic<Bool>(false)
    private let count = Atomic<Int>(0)

    package var port: UInt16 { endpoint.port }
    /// How many datagrams have come so far.
    package var received: Int { count.load(ordering: .relaxed) }

    package init(
        host: String = "127.0.0.1", port: UInt16? = nil,
        handler: @escaping @Sendable (UDPSocket.Datagram) -> [[UInt8]]
    ) throws {
        endpoint = Endpoint(host, try port ?? Ports.free())
        socket = try UDPSocket(bindingTo: endpoint)
        try socket.setTimeouts(seconds: 1)
        Thread { [weak self, socket] in
            while self?.stopped.load(ordering: .relaxed) == false {
                guard let datagram = try? socket.receive() else { continue }
                self?.count.wrappingAdd(1, ordering: .relaxed)
                for reply in handler(datagram) { try? socket.send(reply, to: datagram.source) }
            }
            socket.close()
        }.start()
    }

    deinit { stopped.store(true, ordering: .relaxed) }

    /// Sends an unsolicited datagram from the server's socket.
    package func send(_ bytes: [UInt8], to endpoint: Endpoint) throws { try socket.send(bytes, to: endpoint) }

    /// As above, in one send that the kernel cuts into datagrams of `size`.
    package func send(_ bytes: [UInt8], to endpoint: Endpoint, cutInto size: Int) throws {
        try socket.cutSends(into: size)
        defer { try? socket.cutSends(into: 0) }
        try socket.send(bytes, to: endpoint)
    }

    /// Closes the socket, so that the port is dead from now on.
    package func stop() throws {
        stopped.store(true, ordering: .relaxed)
        // A datagram to itself wakes the thread at once.
        try UDPSocket().send([], to: endpoint)
        try waitUntil("the datagram server's port is free") { (try? UDPSocket(bindingTo: endpoint)) != nil }
    }

    package static func echo(host: String = "127.0.0.1", port: UInt16? = nil) throws -> UDPServer {
        try UDPServer(host: host, port: port) { [$0.bytes] }
    }
}
