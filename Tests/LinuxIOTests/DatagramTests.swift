import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct DatagramTests {
    /// A copy of a received datagram.
    private struct Got: Equatable {
        var bytes: [UInt8]
        var peer: SocketAddress?
        var localIP: IPAddress?
        var isTruncated: Bool
    }

    private static func receive(
        _ count: Int, from socket: borrowing Socket, _ inbox: borrowing DatagramInbox, isConnected: Bool = false
    ) throws -> [Got] {
        var all: [Got] = []
        let end = ContinuousClock.now + .seconds(10)
        while all.count < count, ContinuousClock.now < end {
            guard case .received(let batch) = inbox.receive(from: socket, isConnected: isConnected) else {
                sched_yield()
                continue
            }
            for index in 0..<batch {
                let datagram = inbox.datagram(at: index)
                all.append(
                    Got(
                        bytes: Array(datagram.bytes), peer: datagram.peer, localIP: datagram.localIP,
                        isTruncated: datagram.isTruncated))
            }
        }
        return all
    }

    private static func bound(_ ip: IPAddress, _ family: Socket.Family) throws -> Socket {
        let socket = try Socket(.datagram, family: family)
        try socket.set(.receiveBuffer, 1 << 20)
        try socket.set(.sendBuffer, 1 << 20)
        try socket.bind(SocketAddress(ip, port: 0))
        return socket
    }

    @Test(arguments: [IPAddress.loopbackIPv4, .loopbackIPv6])
    func `datagrams of every size arrive whole and in order`(ip: IPAddress) throws {
        let family: Socket.Family = ip.isIPv4 ? .ipv4 : .ipv6
        let receiver = try Self.bound(ip, family)
        let sender = try Self.bound(ip, family)
        guard case .connected = sender.connect(to: try receiver.localAddress()) else { return }
        let payloads = [0, 1, 65_507].map { Pattern.bytes($0, seed: 3) }
        let outbox = DatagramOutbox(capacity: 4)
        let inbox = DatagramInbox(capacity: 8)
        expectTrue(outbox.isEmpty)
        try payloads[0].withUnsafeBytes { first in
            try payloads[1].withUnsafeBytes { second in
                try payloads[2].withUnsafeBytes { third in
                    for payload in [first, second, third] { outbox.add(payload) }
                    expectTrue(outbox.count == 3)
                    expectTrue(outbox.length(at: 2) == 65_507)
                    var sent = 0
                    while sent < 3 {
                        guard case .sent(let count) = outbox.flush(to: sender, from: sent, coalescing: false) else {
                            break
                        }
                        sent += count
                    }
                    try #require(sent == 3)
                }
            }
        }
        outbox.removeAll()
        expectTrue(outbox.isEmpty)
        let got = try Self.receive(3, from: receiver, inbox)
        let isSame = got.map(\.bytes) == payloads
        #expect(isSame)
        let from = try sender.localAddress()
        #expect(got.allSatisfy { $0.peer == from && !$0.isTruncated && $0.localIP == nil })
    }

    @Test func `an empty socket would block, and a dead peer is an error of the next call`() throws {
        let inbox = DatagramInbox(capacity: 2)
        let socket = try Self.bound(.loopbackIPv4, .ipv4)
        guard case .wouldBlock = inbox.receive(from: socket, isConnected: false) else {
            Issue.record("something was there")
            return
        }
        guard case .connected = socket.connect(to: SocketAddress(.loopbackIPv4, port: try Ports.free())) else { return }
        _ = [UInt8(1)].withUnsafeBytes { socket.send($0) }
        let error = try waitFor("the answer of the network") { () -> SystemError? in
            if case .failed(let error) = inbox.receive(from: socket, isConnected: true) { error } else { nil }
        }
        #expect(error == SystemError(.receive, ECONNREFUSED))
    }

    @Test func `what no datagram can be is an error of that datagram`() throws {
        let receiver = try Self.bound(.loopbackIPv4, .ipv4)
        let sender = try Self.bound(.loopbackIPv4, .ipv4)
        guard case .connected = sender.connect(to: try receiver.localAddress()) else { return }
        let outbox = DatagramOutbox(capacity: 2)
        let large = [UInt8](repeating: 0, count: 65_508)
        large.withUnsafeBytes { bytes in
            outbox.add(bytes)
            outbox.add(UnsafeRawBufferPointer(rebasing: bytes[..<2]))
            expectTrue(outbox.isFull)
            guard case .failed(let error) = outbox.flush(to: sender, from: 0, coalescing: false) else {
                Issue.record("it was sent")
                return
            }
            #expect(error == SystemError(.send, EMSGSIZE))
            guard case .sent(1) = outbox.flush(to: sender, from: 1, coalescing: false) else {
                Issue.record("the one behind it was not sent")
                return
            }
        }
        let inbox = DatagramInbox(capacity: 2)
        #expect(try Self.receive(1, from: receiver, inbox).map(\.bytes.count) == [2])
    }

    @Test(arguments: [
        (Socket.Family.ipv4, "127.0.0.2"), (.ipv6, "::1"), (.ipv6, "127.0.0.2"),
    ])
    func `a wildcard socket is told which address was asked, and answers from it`(
        family: Socket.Family, asked: String
    ) throws {
        let ip = try #require(IPAddress(asked))
        let server = try Socket(.datagram, family: family)
        if family == .ipv6 { try server.set(.ipv6Only, false) }
        try server.set(family == .ipv6 ? .packetInfoIPv6 : .packetInfoIPv4, true)
        try server.bind(SocketAddress(family == .ipv6 ? .anyIPv6 : .anyIPv4, port: 0))
        let port = try server.localAddress().port
        let client = try UDPSocket(bindingTo: Endpoint(ip.isIPv4 ? "127.0.0.1" : "::1", 0))
        try client.send([1, 2], to: Endpoint(asked, port))
        let inbox = DatagramInbox(capacity: 2)
        let got = try #require(try Self.receive(1, from: server, inbox).first)
        #expect(got.localIP == ip)
        #expect(got.bytes == [1, 2])
        let peer = try #require(got.peer)
        #expect(peer.port == (try client.localEndpoint.port))
        let outbox = DatagramOutbox(capacity: 1)
        [UInt8(7)].withUnsafeBytes { bytes in
            outbox.add(bytes)
            outbox.setDestination(peer, from: (ip, 0), family: family)
            guard case .sent(1) = outbox.flush(to: server, from: 0, coalescing: true) else {
                Issue.record("not sent")
                return
            }
        }
        let reply = try client.receive()
        #expect(reply.bytes == [7])
        #expect(reply.source == Endpoint(asked, port))
    }

    @Test func `runs of equal length leave as one send and arrive one by one, in order`() throws {
        let receiver = try Self.bound(.loopbackIPv4, .ipv4)
        let sender = try Self.bound(.loopbackIPv4, .ipv4)
        guard case .connected = sender.connect(to: try receiver.localAddress()) else { return }
        // Two runs: the second begins behind the shorter datagram that ends the first. Empty ones stay alone.
        let lengths = [100, 100, 100, 40, 60, 60, 0, 0, 1200, 1200, 1201, 7]
        let payloads = lengths.enumerated().map { index, length in [UInt8](repeating: UInt8(index), count: length) }
        let outbox = DatagramOutbox(capacity: lengths.count)
        var sent = 0
        let joined = payloads.flatMap { $0 }
        joined.withUnsafeBytes { bytes in
            var start = 0
            for length in lengths {
                outbox.add(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
                start += length
            }
            while sent < lengths.count, case .sent(let count) = outbox.flush(to: sender, from: sent, coalescing: true) {
                sent += count
            }
        }
        expectTrue(sent == lengths.count)
        let got = try Self.receive(lengths.count, from: receiver, DatagramInbox(capacity: lengths.count))
        let isSame = got.map(\.bytes) == payloads
        #expect(isSame)
    }

    @Test func `what is in front of a datagram can be taken off, and something else put there`() throws {
        let receiver = try Self.bound(.loopbackIPv4, .ipv4)
        let sender = try Self.bound(.loopbackIPv4, .ipv4)
        guard case .connected = sender.connect(to: try receiver.localAddress()) else { return }
        let outbox = DatagramOutbox(capacity: 4)
        let inbox = DatagramInbox(capacity: 4)
        let payloads = [Pattern.bytes(65_507), [1, 2, 3], Pattern.bytes(4_000, seed: 2)]
        for payload in payloads {
            payload.withUnsafeBytes {
                outbox.add($0)
                _ = outbox.flush(to: sender, from: 0, coalescing: false)
                outbox.removeAll()
            }
        }
        var count = 0
        try waitUntil("all three are there") {
            if case .received(let batch) = inbox.receive(from: receiver, isConnected: false) { count = batch }
            return count == 3
        }
        let header = [UInt8](repeating: 0xaa, count: DatagramInbox.headroom)
        inbox.dropFirst(2, at: 1)
        inbox.dropFirst(10, at: 0)
        expectTrue(inbox.datagram(at: 1).bytes.elementsEqual([3]))
        expectTrue(inbox.datagram(at: 0).bytes.elementsEqual(payloads[0][10...]))
        inbox.dropFirst(1, at: 1)
        expectTrue(inbox.datagram(at: 1).bytes.isEmpty)
        // Each datagram has headroom of its own: its neighbors and its own payload stay whole.
        for index in 0..<3 { outbox.add(inbox.datagram(at: index).bytes) }
        outbox.prepend(header, at: 2)
        outbox.prepend([9], at: 1)
        expectTrue(outbox.length(at: 2) == header.count + 4_000)
        expectTrue(outbox.length(at: 1) == 1)
        guard case .sent(3) = outbox.flush(to: sender, from: 0, coalescing: false) else {
            Issue.record("not sent")
            return
        }
        let got = try Self.receive(3, from: receiver, inbox)
        expectTrue(got.map(\.bytes) == [Array(payloads[0][10...]), [9], header + payloads[2]])
    }
}
