import Glibc
import LinuxIO
import NetworkTypes

/// One address, or Unix socket, that the exporter listens on.
final class ListeningSocket: EventHandler {
    private static let backlog = 256
    /// All that can wait in one turn: a health check is not to wait for a rendering because others connected before it.
    /// Level-triggered: the rest is accepted in the next turn.
    private static let acceptsPerTurn = backlog + 1
    private static let pauseNanoseconds: UInt64 = 100_000_000
    private static let timerTag = 1

    /// Nil for a Unix socket.
    let address: SocketAddress?
    private let clients: UnixListener.Clients
    private let file: UnixSocketFile?
    private let server: ExporterServer
    private var socket: Socket?
    private var token: EventToken?

    /// Binds and listens. `isDualStack` lets an IPv6 wildcard take IPv4 clients too.
    init(_ address: SocketAddress, isDualStack: Bool, server: ExporterServer) throws(SystemError) {
        let socket = try Socket(.stream, family: Socket.family(of: address))
        try socket.set(.reuseAddress, true)
        if socket.family == .ipv6 { try socket.set(.ipv6Only, !isDualStack) }
        try socket.bind(address)
        try socket.listen(backlog: Self.backlog)
        // Inherited by the connections: an answer goes out in two writes, and the second must not wait.
        try socket.set(.noDelay, true)
        self.address = try socket.localAddress()
        file = nil
        clients = .all
        self.server = server
        self.socket = consume socket
    }

    /// Makes the file and listens.
    init(_ listener: UnixListener, server: ExporterServer) throws(UnixSocketFile.Failure) {
        let socket: Socket
        do throws(SystemError) { socket = try Socket(.stream, family: .unix) } catch { throw .system(error) }
        if let name = listener.path.abstractName {
            do throws(SystemError) {
                try socket.bind(abstractName: String(name))
                try socket.listen(backlog: Self.backlog)
            } catch {
                throw .system(error)
            }
            file = nil
        } else {
            file = try UnixSocketFile.listen(socket, at: listener.path, mode: listener.mode, backlog: Self.backlog)
        }
        address = nil
        clients = listener.clients
        self.server = server
        self.socket = consume socket
    }

    /// Begins to accept.
    func start() throws(SystemError) {
        let token = server.loop.insert(self)
        self.token = token
        if let number = socket?.number { try server.loop.add(number, .readable, token: token) }
    }

    /// Closes it. Connections that were not accepted yet are reset.
    func close() {
        // Before the socket: while it listens, no other process takes the path over.
        file?.remove()
        socket.take()?.close()
        if let token { server.loop.remove(token) }
        token = nil
    }

    func descriptorReady(_ events: EventSet, tag: Int) {
        for _ in 0..<Self.acceptsPerTurn {
            if server.isSoonFree { return }
            guard let result = socket?.accept() else { return }
            switch consume result {
            case .accepted(let client, let peer):
                if clients != .all, (try? client.peerUser()) != getuid() {
                    client.close()
                    continue
                }
                server.accept(client, from: address == nil ? nil : peer, clients)
                // accept(2) takes the new descriptor before it looks at the queue, so without a spare one it fails
                // even if no connection is pending. Only the next event tells whether a connection must be evicted.
                if server.isOutOfDescriptors { return }
            case .wouldBlock: return
            case .failed(let error):
                if Self.concernsOneConnection(error.code) { continue }
                if error.code == EMFILE || error.code == ENFILE, server.freeDescriptor() { continue }
                // The listener stays readable, so going on at once would be a spin.
                return pause()
            }
        }
    }

    func deferred(tag: Int) {}

    func timerFired(tag: Int, deadline: UInt64) {
        server.refillReserve()
        watch(.readable)
    }

    private func pause() {
        guard let token else { return }
        watch([])
        _ = server.loop.schedule(afterNanoseconds: Self.pauseNanoseconds, token: token.with(tag: Self.timerTag))
    }

    private func watch(_ events: EventSet) {
        guard let number = socket?.number, let token else { return }
        // Changing a registration takes no memory; it fails only for a descriptor that is not registered.
        try? server.loop.modify(number, events, token: token)
    }

    /// accept(2): errors that were pending on the new connection, and firewall rules.
    private static func concernsOneConnection(_ code: CInt) -> Bool {
        switch code {
        case ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
            ENETUNREACH:
            true
        default: false
        }
    }
}
