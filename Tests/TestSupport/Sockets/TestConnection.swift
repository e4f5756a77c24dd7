import Glibc
import Synchronization

/// One end of a TCP connection, blocking, with every ending told apart.
package final class TestConnection: Sendable {
    /// How reading stopped.
    package enum Ending: Equatable, Sendable {
        case endOfStream
        case reset
        case timedOut
        /// As many bytes as were asked for have come; the stream goes on.
        case satisfied
    }

    package struct Received: Equatable, Sendable {
        package var bytes: [UInt8]
        package var ending: Ending
        package var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private let socket: TestSocket
    /// Whether a send was told of the peer's reset: the kernel tells it once, and reads see an end then.
    private let sawReset = Atomic<Bool>(false)
    private let hasShutDown = Atomic<Bool>(false)

    init(adopting descriptor: Int32) {
        socket = TestSocket(adopting: descriptor)
    }

    /// Connects, from `local` if given; `receiveBuffer` makes a small window for a slow reader.
    package init(
        to endpoint: Endpoint, from local: Endpoint? = nil, receiveBuffer: Int32? = nil,
        connectTimeoutSeconds: Int = 10
    ) throws {
        socket = try TestSocket(family: endpoint.family, type: SOCK_STREAM)
        try socket.setTimeouts(seconds: connectTimeoutSeconds)
        if let receiveBuffer { try socket.set(SO_RCVBUF, to: receiveBuffer) }
        if let local {
            try socket.set(SO_REUSEADDR, to: 1)
            try socket.bind(to: local)
        }
        try socket.connect(to: endpoint)
        try socket.setTimeouts(seconds: 10)
        try socket.set(Int32(TCP_NODELAY), level: Int32(IPPROTO_TCP), to: 1)
    }

    var rawDescriptor: Int32 { socket.descriptor }
    package var localEndpoint: Endpoint { get throws { try socket.localEndpoint } }
    package var peerEndpoint: Endpoint { get throws { try socket.peerEndpoint } }

    /// Bytes that have arrived and were not read.
    package var pendingInput: Int {
        var count: Int32 = 0
        return ioctl(socket.descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    package func setTimeouts(seconds: Int) throws { try socket.setTimeouts(seconds: seconds) }

    package func isReadable(within milliseconds: Int32 = 0) -> Bool { socket.isReadable(within: milliseconds) }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends everything, or throws.
    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            sent += try bytes.withUnsafeBytes { buffer in
                try checked("send") {
                    let result = Glibc.send(
                        socket.descriptor, buffer.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                    if result < 0, errno == ECONNRESET || errno == EPIPE, !hasShutDown.load(ordering: .relaxed) {
                        sawReset.store(true, ordering: .relaxed)
                    }
                    return result
                }
            }
        }
    }

    /// Sends bytes and the end of the stream in one segment: the kernel holds the bytes back until the end is known.
    package func sendWithEnd(_ bytes: [UInt8]) throws {
        try socket.set(Int32(TCP_CORK), level: Int32(IPPROTO_TCP), to: 1)
        try send(bytes)
        try shutdownWriting()
    }

    /// Sends one byte out of band (MSG_OOB in send(2)): a reader that does not ask for it never sees it.
    package func sendUrgent(_ byte: UInt8) throws {
        var byte = byte
        _ = try checked("send(MSG_OOB)") {
            Glibc.send(socket.descriptor, &byte, 1, Int32(MSG_OOB) | Int32(MSG_NOSIGNAL))
        }
    }

    package func shutdownWriting() throws {
        hasShutDown.store(true, ordering: .relaxed)
        try checked("shutdown") { shutdown(socket.descriptor, Int32(SHUT_WR)) }
    }

    package func close() { socket.close() }

    /// Ends the connection with a reset instead of an orderly end.
    package func reset() throws {
        var linger = linger(l_onoff: 1, l_linger: 0)
        try checked("SO_LINGER") {
            setsockopt(
                socket.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        }
        socket.close()
    }

    /// Reads until `count` bytes are there or the stream ends.
    package func receive(_ count: Int = .max) -> Received {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(count, 262_144))
        while bytes.count < count {
            let wanted = min(buffer.count, count - bytes.count)
            let got = recv(socket.descriptor, &buffer, wanted, 0)
            if got > 0 {
                bytes += buffer[..<got]
            } else if got == 0 {
                return Received(bytes: bytes, ending: sawReset.load(ordering: .relaxed) ? .reset : .endOfStream)
            } else if errno != EINTR {
                let timedOut = errno == EAGAIN || errno == EWOULDBLOCK
                return Received(bytes: bytes, ending: timedOut ? .timedOut : .reset)
            }
        }
        return Received(bytes: bytes, ending: .satisfied)
    }

    /// Performs a single read.
    package func receiveSome(_ limit: Int = 65_536) -> Received {
        var buffer = [UInt8](repeating: 0, count: limit)
        while true {
            let got = recv(socket.descriptor, &buffer, limit, 0)
            if got > 0 { return Received(bytes: Array(buffer[..<got]), ending: .satisfied) }
            if got == 0 {
                return Received(bytes: [], ending: sawReset.load(ordering: .relaxed) ? .reset : .endOfStream)
            }
            if errno == EINTR { continue }
            let timedOut = errno == EAGAIN || errno == EWOULDBLOCK
            return Received(bytes: [], ending: timedOut ? .timedOut : .reset)
        }
    }
}
