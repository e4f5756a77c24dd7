import Glibc
import LinuxIO
import NetworkTypes

/// A socket for plain threads: every call waits, for at most the timeout. For the health probe and the demo, never for
/// the data path.
final class BlockingSocket: Sendable {
    private let socket: Socket
    private let timeout: Duration

    /// Takes over an open socket.
    init(_ socket: consuming Socket, timeout: Duration = .seconds(10)) {
        self.socket = socket
        self.timeout = timeout
    }

    /// Opens a TCP connection, from the given address where one matters. A small `receiveBuffer` makes a slow reader
    /// visible to the sender.
    static func connect(
        to address: SocketAddress, from local: SocketAddress? = nil, source: DialSource? = nil,
        receiveBuffer: Int? = nil, timeout: Duration = .seconds(10)
    ) throws(SystemError) -> BlockingSocket {
        let socket = try Socket(.stream, family: Socket.family(of: address))
        if let receiveBuffer { socket.setIfPossible(.receiveBuffer, receiveBuffer) }
        if let local { try socket.bind(local) }
        if let source { try socket.bindSource(source) }
        try socket.connect(to: address, within: timeout)
        return BlockingSocket(socket, timeout: timeout)
    }

    /// Connects to a Unix socket. Where its queue is full, that is an error (unix(7)).
    static func connect(to path: UnixSocketPath, timeout: Duration) throws(SystemError) -> BlockingSocket {
        let socket = try Socket(.stream, family: .unix)
        if case .failed(let error) = socket.connect(to: path) { throw error }
        return BlockingSocket(socket, timeout: timeout)
    }

    /// Opens a UDP socket that talks to one peer.
    static func datagrams(
        to address: SocketAddress, from local: SocketAddress? = nil, timeout: Duration
    ) throws(SystemError) -> BlockingSocket {
        let socket = try Socket(.datagram, family: Socket.family(of: address))
        if let local { try socket.bind(local) }
        if case .failed(let error) = socket.connect(to: address) { throw error }
        return BlockingSocket(socket, timeout: timeout)
    }

    /// Sends everything.
    func send(_ bytes: [UInt8]) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            switch sendOnce(bytes[offset...]) {
            case .bytes(let count): offset += count
            case .failed(let error): throw error
            case .wouldBlock:
                guard Poll.wait(for: .writable, on: socket.number, within: timeout) else {
                    throw SystemError(.send, ETIMEDOUT)
                }
            }
        }
    }

    /// Sends an empty datagram, and looks for an error, or an answer, within the time. A host without a process at the
    /// port refuses (ICMP, RFC 1122 section 4.1.3.1), which a connected socket reports as an error (udp(7)). Silence is
    /// no error.
    func probeDatagrams(within time: Duration) throws(SystemError) {
        if case .failed(let error) = sendOnce([]) { throw error }
        guard isReadable(within: time) else { return }
        _ = try receive(atMost: 1)
    }

    private func sendOnce(_ bytes: ArraySlice<UInt8>) -> WriteResult {
        unsafe bytes.withUnsafeBytes { unsafe socket.send($0) }
    }

    /// Returns the next bytes, at most `limit`; empty at the end of the stream.
    func receive(atMost limit: Int = 65_536) throws(SystemError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit)
        while true {
            switch unsafe buffer.withUnsafeMutableBytes({ unsafe socket.receive(into: $0) }) {
            case .bytes(let count): return Array(buffer[..<count])
            case .endOfStream: return []
            case .failed(let error): throw error
            case .wouldBlock:
                guard Poll.wait(for: .readable, on: socket.number, within: timeout) else {
                    throw SystemError(.receive, ETIMEDOUT)
                }
            }
        }
    }

    /// Whether there are bytes, an end or an error to receive within the time.
    func isReadable(within time: Duration) -> Bool { Poll.wait(for: .readable, on: socket.number, within: time) }

    /// Everything up to the end of the stream, or up to `limit` bytes.
    func receiveToEnd(limit: Int) throws(SystemError) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < limit {
            let bytes = try receive()
            if bytes.isEmpty { break }
            all += bytes
        }
        return all
    }

    /// Sends a request through a session, and returns what comes up to the end, or up to `limit` bytes.
    func exchange(
        _ request: [UInt8], over session: any SecureSession, limit: Int
    ) throws(SystemError) -> [UInt8] {
        handshake: while true {
            switch session.handshake(on: socket) {
            case .done, .doneUnlessRefused: break handshake
            case .yielded: continue
            case .waiting: try wait(for: session)
            case .failed, .unused, .refused: throw SystemError(.receive, EPROTO)
            case .broken(let error): throw error
            }
        }
        var offset = 0
        while offset < request.count || session.hasPendingOutput {
            if session.hasPendingOutput {
                if let error = session.flush(to: socket) { throw error }
                if session.hasPendingOutput { try wait(for: session) }
                continue
            }
            switch unsafe request[offset...].withUnsafeBytes({ unsafe session.send($0, to: socket) }) {
            case .bytes(let count): offset += count
            case .failed(let error): throw error
            case .wouldBlock: try wait(for: session)
            }
        }
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: limit)
        while all.count < limit {
            switch unsafe buffer.withUnsafeMutableBytes({ unsafe session.receive(into: $0, from: socket) }) {
            case .bytes(let count): all += buffer[..<count]
            case .endOfStream: return all
            case .failed(let error): throw error
            case .wouldBlock: try wait(for: session)
            }
        }
        return all
    }

    /// Waits for room where the session has output, else for bytes.
    private func wait(for session: any SecureSession) throws(SystemError) {
        let readiness: Poll.Readiness = session.hasPendingOutput ? .writable : .readable
        if !Poll.wait(for: readiness, on: socket.number, within: timeout) { throw SystemError(.receive, ETIMEDOUT) }
    }

    /// Sends FIN; reading goes on.
    func finishWriting() throws(SystemError) {
        try socket.shutdownWriting()
    }
}
