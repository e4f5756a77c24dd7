import Foundation
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct SocketTests {
    @Test func `options are set, read back, and switched off again`() throws {
        let socket = try Socket(.stream, family: .ipv6)
        for option in [
            Socket.Option.reuseAddress, .reusePort, .ipv6Only, .noDelay, .keepalive,
        ] {
            try socket.set(option, true)
            #expect(try socket.value(of: option) != 0)
            try socket.set(option, false)
            #expect(try socket.value(of: option) == 0)
        }
        for (option, value) in [
            (Socket.Option.keepaliveIdle, 77), (.keepaliveInterval, 5), (.keepaliveCount, 3), (.userTimeout, 1234),
        ] {
            try socket.set(option, value)
            #expect(try socket.value(of: option) == value)
        }
        try socket.set(.sendBuffer, 50_000)
        #expect(try socket.value(of: .sendBuffer) == 100_000)
        try socket.set(.receiveBuffer, 50_000)
        #expect(try socket.value(of: .receiveBuffer) == 100_000)
    }

    @Test func `an option that the socket does not have is a typed error, or ignored where that is asked for`() throws {
        let socket = try Socket(.datagram, family: .ipv4)
        let error = #expect(throws: SystemError.self) { try socket.set(.ipv6Only, true) }
        #expect(error?.operation == .socketOption)
        expectTrue(!socket.setIfPossible(.ipv6Only, 1))
        expectTrue(socket.setIfPossible(.receiveOverflow, 1))
        try socket.set(.packetInfoIPv4, true)
        #expect(try socket.value(of: .packetInfoIPv4) == 1)
    }

    @Test func `errors say which call failed and why`() throws {
        let first = try Socket(.datagram, family: .ipv4)
        try first.bind(SocketAddress(.loopbackIPv4, port: 0))
        let address = try first.localAddress()
        let second = try Socket(.datagram, family: .ipv4)
        #expect(throws: SystemError(.bind, EADDRINUSE)) { try second.bind(address) }
        #expect(throws: SystemError(.listen, EOPNOTSUPP)) { try second.listen(backlog: 1) }
        #expect(throws: SystemError(.shutdown, ENOTCONN)) { try second.shutdownWriting() }
        #expect(throws: SystemError.self) { try second.peerAddress() }
        #expect(SystemError(.bind, EADDRINUSE).description == "bind: Address already in use (98)")
        #expect(SystemError(.connect, 4095).description.hasPrefix("connect: "))
    }

    @Test func `a refused connect is told at once or by the pending error`() throws {
        let socket = try Socket(.stream, family: .ipv4)
        var error: SystemError?
        switch socket.connect(to: SocketAddress(.loopbackIPv4, port: try Ports.free())) {
        case .failed(let failure): error = failure
        case .connected: break
        case .inProgress:
            error = try waitFor("the connect fails") { socket.takeError() }
            expectTrue(socket.takeError() == nil)
        }
        #expect(error == SystemError(.connect, ECONNREFUSED))
    }

    @Test(arguments: [IPAddress.loopbackIPv4, .loopbackIPv6])
    func `would-block, bytes, the end and a reset are results`(ip: IPAddress) throws {
        let listener = try Socket(.stream, family: ip.isIPv4 ? .ipv4 : .ipv6)
        try listener.bind(SocketAddress(ip, port: 0))
        try listener.listen(backlog: 8)
        guard case .wouldBlock = listener.accept() else {
            Issue.record("a connection was pending")
            return
        }
        let address = try listener.localAddress()
        let peer = try TestConnection(to: Endpoint(ip.description, address.port))
        var accepted: Socket?
        var seen: SocketAddress?
        try waitUntil("the client is accepted") {
            if case .accepted(let socket, let from) = listener.accept() {
                accepted = consume socket
                seen = from
            }
            return accepted != nil
        }
        guard let socket = accepted.take() else { return }
        #expect(seen?.port == (try peer.localEndpoint.port))
        #expect(seen == (try socket.peerAddress()))
        var buffer = [UInt8](repeating: 0, count: 64)
        let nothing = buffer.withUnsafeMutableBytes { "\(socket.receive(into: $0))" }
        #expect(nothing == "wouldBlock")
        try peer.send("abc")
        try waitUntil("bytes have come") {
            if case .bytes(3) = buffer.withUnsafeMutableBytes({ socket.receive(into: $0) }) { true } else { false }
        }
        try peer.shutdownWriting()
        try waitUntil("the end has come") {
            if case .endOfStream = buffer.withUnsafeMutableBytes({ socket.receive(into: $0) }) { true } else { false }
        }
        guard case .bytes(2) = [UInt8(1), 2].withUnsafeBytes({ socket.send($0) }) else {
            Issue.record("nothing was sent")
            return
        }
        try waitUntil("it is acknowledged") { socket.unacknowledgedBytes() == 0 }
        socket.closeWithReset()
        #expect(peer.receive().ending == .reset)
    }

    @Test func `sockets of the Unix domain bind and connect by path`() throws {
        let name = "weir-\(UUID().uuidString.prefix(8))"
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try #require(UnixSocketPath(folder.path + "/s"))
        let listener = try Socket(.stream, family: .unix)
        try listener.bind(path)
        try listener.listen(backlog: 1)
        let client = try Socket(.stream, family: .unix)
        guard case .connected = client.connect(to: path) else {
            Issue.record("not connected")
            return
        }
        guard case .accepted(let server, _) = listener.accept() else {
            Issue.record("no connection was pending")
            return
        }
        guard case .bytes(1) = [UInt8(9)].withUnsafeBytes({ client.send($0) }) else { return }
        var buffer = [UInt8](repeating: 0, count: 8)
        let one = buffer.withUnsafeMutableBytes { "\(server.receive(into: $0))" }
        #expect(one == "bytes(1)")
        #expect(buffer[0] == 9)
        let missing = try #require(UnixSocketPath(folder.path + "/none"))
        guard case .failed(let error) = try Socket(.stream, family: .unix).connect(to: missing) else {
            Issue.record("connected to nothing")
            return
        }
        #expect(error == SystemError(.connect, ENOENT))
    }
}
