import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// Tests of the sockets of a listening address, and of conflicts on the same port.
@Suite(.timeLimit(.minutes(1))) struct ListenerSocketsTests {
    private static func makeStream(_ engine: StreamEngine, _ network: Network, _ port: UInt16) throws -> any Stream {
        let text = "\(network.rawValue)://127.0.0.1:\(port)"
        if network.transport == .tcp { return try TCPStream(listen: text, upstream: "127.0.0.1:1", engine: engine) }
        return try UDPStream(listen: text, upstream: "127.0.0.1:1", engine: engine)
    }

    /// Another program's socket on the port.
    private static func foreign(
        _ network: Network, _ port: UInt16, sharing: [Socket.Option] = []
    ) throws -> Socket {
        let socket = try Socket(network.transport == .tcp ? .stream : .datagram, family: .ipv4)
        for option in sharing { try socket.set(option, true) }
        try socket.bind(SocketAddress(.loopbackIPv4, port: port))
        if network.transport == .tcp { try socket.listen(backlog: 8) }
        return socket
    }

    @Test(arguments: [Network.tcp, .udp])
    func `an address in use is an error that names it, and nothing stays open`(network: Network) async throws {
        let engine = try EngineSetup(workers: 3).makeEngine()
        let port = try Ports.free()
        // A program that would share the port must not be joined silently either.
        for sharing in [[], [Socket.Option.reusePort]] {
            let holder = try Self.foreign(network, port, sharing: sharing)
            let stream = try Self.makeStream(engine, network, port)
            let listen = try ListenAddress("\(network.rawValue)://127.0.0.1:\(port)")
            await #expect(throws: StreamError.bindFailed(listen, SystemError(.bind, EADDRINUSE))) {
                try await stream.listenAndServe()
            }
            holder.close()
            // The same stream may try again, and the address is free for it: nothing of the first attempt is left.
            try await stream.listenAndServe()
            await stream.kill()
            await stream.waitUntilClosed()
        }
        await engine.shutdown()
    }

    /// A listening socket of this process on the port, asked for an option.
    private static func option(_ option: Socket.Option, ofListenerAt port: UInt16) throws -> Int {
        for number in 3..<Int32(1024) {
            let socket = Socket(adopting: number, family: .ipv4)
            let isListener = (try? socket.peerAddress()) == nil && (try? socket.localAddress())?.port == port
            let value = isListener ? try? socket.value(of: option) : nil
            _ = socket.release()
            if let value { return value }
        }
        throw DeadlineExceeded(description: "no listener at \(port)")
    }

    @Test func `a client that sends nothing is not accepted where that is asked for, and an update ends that`()
        async throws
    {
        var settings = TCPSettings()
        settings.deferAccept = .seconds(10)
        settings.fastOpen = 64
        let server = try TCPServer { try $0.send("hello") }
        try await withTCP("\(server.endpoint)", settings: settings) { rig in
            #expect(try Self.option(.fastOpen, ofListenerAt: rig.endpoint.port) == 64)
            let silent = try rig.connect()
            let talking = try rig.connect()
            try talking.send("?")
            #expect(talking.receive(5).text == "hello")
            #expect(rig.recorder.count(.opened) == 1)
            try wait {
                try await rig.stream.update(
                    name: "test", upstreams: [try Upstream("\(server.endpoint)")], settings: TCPSettings(),
                    hooks: StreamHooks(observer: rig.recorder))
            }
            #expect(try Self.option(.fastOpen, ofListenerAt: rig.endpoint.port) == 0)
            // Now the server may speak first.
            #expect(try rig.connect().receive(5).text == "hello")
            try silent.send("?")
            #expect(silent.receive(5).text == "hello")
        }
    }

    @Test(arguments: [Network.tcp, .udp])
    func `another process cannot bind the port of a stream`(network: Network) async throws {
        let engine = try EngineSetup(workers: 3).makeEngine()
        let port = try Ports.free()
        let stream = try Self.makeStream(engine, network, port)
        try await stream.listenAndServe()
        for sharing in [[], [Socket.Option.reuseAddress]] {
            let error = #expect(throws: SystemError.self) {
                let socket = try Self.foreign(network, port, sharing: sharing)
                socket.close()
            }
            #expect(error?.code == EADDRINUSE)
        }
        // A second engine stands for a second process: it binds first without SO_REUSEPORT, as every engine does.
        let second = try EngineSetup(workers: 2).makeEngine()
        let rival = try Self.makeStream(second, network, port)
        await #expect(throws: StreamError.self) { try await rival.listenAndServe() }
        await stream.kill()
        await stream.waitUntilClosed()
        try await rival.listenAndServe()
        await rival.kill()
        await rival.waitUntilClosed()
        await engine.shutdown()
        await second.shutdown()
    }

    @Test func `a dual-stack wildcard and an IPv4 one on the same port are a clash`() async throws {
        let engine = try EngineSetup().makeEngine()
        let port = try Ports.free()
        let both = try TCPStream(listen: "tcp://:\(port)", upstream: "127.0.0.1:1", engine: engine)
        try both.bind()
        let four = try TCPStream(listen: "tcp4://:\(port)", upstream: "127.0.0.1:1", engine: engine)
        #expect(throws: StreamError.self) { try four.bind() }
        let six = try TCPStream(listen: "tcp6://:\(port)", upstream: "127.0.0.1:1", engine: engine)
        #expect(throws: StreamError.self) { try six.bind() }
        await both.close()
        // An IPv6-only one lives beside an IPv4 one.
        try four.bind()
        try six.bind()
        await four.close()
        await six.close()
        await engine.shutdown()
    }

    @Test func `there is one socket a worker, and the address gets a real port`() throws {
        let listen = try ListenAddress("tcp://127.0.0.1:0")
        let sockets = try ListenerSockets(listen, count: 4, options: ListenerSettings())
        defer { sockets.close() }
        #expect(sockets.count == 4)
        #expect(Set(sockets.take()).count == 4)
        #expect(sockets.address.port != 0)
        #expect(sockets.address.ip == .loopbackIPv4)
        #expect(!sockets.isWildcard)
        // The table of sockets is no snapshot while other tests open theirs.
        try waitUntil("all four listen") { try OpenSockets.listening(on: [sockets.address.port]) == 4 }
    }

    @Test func `clients inherit no delay and keepalive from the listener`() throws {
        var settings = TCPSettings()
        settings.keepalive = Keepalive(idle: .seconds(33), interval: .seconds(7), count: 4)
        settings.userTimeout = .milliseconds(1500)
        let sockets = try ListenerSockets(
            ListenAddress("tcp://127.0.0.1:0"), count: 1, options: ListenerSettings(settings))
        let listener = Socket(adopting: try #require(sockets.take().first), family: .ipv4)
        let client = try TestConnection(to: Endpoint(sockets.address.port))
        var accepted: Socket?
        try waitUntil("the client is accepted") {
            if case .accepted(let socket, _) = listener.accept() { accepted = consume socket }
            return accepted != nil
        }
        guard let accepted else { return }
        #expect(try accepted.value(of: .noDelay) == 1)
        #expect(try accepted.value(of: .keepalive) == 1)
        #expect(try accepted.value(of: .keepaliveIdle) == 33)
        #expect(try accepted.value(of: .keepaliveInterval) == 7)
        #expect(try accepted.value(of: .keepaliveCount) == 4)
        #expect(try accepted.value(of: .userTimeout) == 1500)
        client.close()
    }

    @Test func `an address of another machine cannot be bound`() throws {
        let listen = try ListenAddress("tcp://192.0.2.1:0")
        #expect(throws: StreamError.bindFailed(listen, SystemError(.bind, EADDRNOTAVAIL))) {
            try ListenerSockets(listen, count: 2, options: ListenerSettings())
        }
    }
}
