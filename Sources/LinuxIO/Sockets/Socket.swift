import CLinux
import Glibc
import NetworkTypes

/// A nonblocking socket with one owner (socket(7), ip(7), ipv6(7), tcp(7), udp(7)).
public struct Socket: ~Copyable, Sendable {
    /// Stream (TCP) or datagram (UDP).
    public enum Kind: Sendable {
        case stream, datagram
    }

    /// The address family, which decides the kernel's form of addresses.
    public enum Family: Sendable {
        case ipv4, ipv6, unix
    }

    private let descriptor: FileDescriptor
    /// The family it was opened with.
    public let family: Family

    /// Opens a socket.
    public init(_ kind: Kind, family: Family) throws(SystemError) {
        let number: CInt
        switch family {
        case .unix: number = weir_socket_unix()
        case .ipv4, .ipv6:
            number = weir_socket(
                family == .ipv6 ? 1 : 0, kind == .stream ? WEIR_SOCKET_STREAM : WEIR_SOCKET_DATAGRAM)
        }
        descriptor = FileDescriptor(adopting: try check(number, .socket))
        self.family = family
    }

    /// Takes ownership of an open socket, for example one that another worker accepted.
    public init(adopting number: CInt, family: Family) {
        descriptor = FileDescriptor(adopting: number)
        self.family = family
    }

    /// The family that reaches an address.
    public static func family(of address: SocketAddress) -> Family {
        address.isUnix ? .unix : address.ip.isIPv4 ? .ipv4 : .ipv6
    }

    /// The descriptor's number, for one call or to register it.
    public var number: CInt { descriptor.rawValue }

    /// Gives up ownership of the descriptor: the caller closes it.
    public consuming func release() -> CInt { descriptor.release() }

    /// Closes it now. Data already sent is still delivered, then FIN; unread input turns that into RST (RFC 1122
    /// section 4.2.2.13).
    public consuming func close() { descriptor.close() }

    /// Sends RST and drops unacknowledged data. A Unix socket has no such end: its peer gets what was sent, and then
    /// ECONNRESET where it left unread bytes here, else an end of stream (unix(7)).
    public consuming func closeWithReset() {
        if family == .unix { return descriptor.close() }
        // If this fails the connection is gone already, and close has nothing left to reset.
        _ = weir_set_reset_on_close(descriptor.rawValue)
        descriptor.close()
    }

    private var isIPv6: CInt { family == .ipv6 ? 1 : 0 }

    // MARK: Addresses

    /// bind(2).
    public borrowing func bind(_ address: SocketAddress) throws(SystemError) {
        var raw = address.raw
        try check(unsafe weir_bind(number, isIPv6, &raw), .bind)
    }

    /// bind(2) to a path, or an abstract name.
    public borrowing func bind(_ path: UnixSocketPath) throws(SystemError) {
        if let name = path.abstractName { return try bind(abstractName: String(name)) }
        try check(unsafe weir_bind_unix(number, path.path, path.path.utf8.count), .bind)
    }

    /// listen(2).
    public borrowing func listen(backlog: Int) throws(SystemError) {
        try check(weir_listen(number, CInt(clamping: backlog)), .listen)
    }

    /// The address it is bound to (getsockname(2)).
    public borrowing func localAddress() throws(SystemError) -> SocketAddress {
        if family == .unix { return .unix }
        var raw = weir_address()
        try check(unsafe weir_local_address(number, &raw), .socketName)
        return SocketAddress(raw)
    }

    /// The other end (getpeername(2)).
    public borrowing func peerAddress() throws(SystemError) -> SocketAddress {
        if family == .unix { return .unix }
        var raw = weir_address()
        try check(unsafe weir_peer_address(number, &raw), .socketName)
        return SocketAddress(raw)
    }

    // MARK: Connections

    /// accept4(2): nonblocking, close-on-exec.
    public borrowing func accept() -> AcceptResult {
        var raw = weir_address()
        let result = unsafe weir_accept(number, &raw)
        if result >= 0 {
            let peer = family == .unix ? .unix : SocketAddress(raw)
            return .accepted(Socket(adopting: result, family: family), peer)
        }
        return result == -EAGAIN ? .wouldBlock : .failed(SystemError(.accept, -result))
    }

    /// connect(2).
    public borrowing func connect(to address: SocketAddress) -> ConnectResult {
        var raw = address.raw
        return Self.connectResult(unsafe weir_connect(number, isIPv6, &raw))
    }

    /// connect(2) to a path, or an abstract name. It never waits: a full queue of the listener is EAGAIN, and no event
    /// tells when there is room (unix(7)).
    public borrowing func connect(to path: UnixSocketPath) -> ConnectResult {
        if let name = path.abstractName {
            return Self.connectResult(unsafe weir_connect_abstract(number, String(name), name.utf8.count))
        }
        return Self.connectResult(unsafe weir_connect_unix(number, path.path, path.path.utf8.count))
    }

    private static func connectResult(_ result: CInt) -> ConnectResult {
        switch result {
        case 0: .connected
        case -EINPROGRESS: .inProgress
        default: .failed(SystemError(.connect, -result))
        }
    }

    /// Returns and clears the pending error (`SO_ERROR`); nil if there is none.
    public borrowing func takeError() -> SystemError? {
        let result = weir_get_option(number, WEIR_OPTION_ERROR)
        return result == 0 ? nil : SystemError(.connect, result < 0 ? -result : result)
    }

    /// Sends FIN; the other direction goes on (shutdown(2)).
    public borrowing func shutdownWriting() throws(SystemError) {
        try check(weir_shutdown_write(number), .shutdown)
    }

    /// Datagrams that the kernel has dropped since the socket was opened because the receive queue was full, modulo
    /// 2^31; nil if the kernel does not report them (`SO_MEMINFO`, sock_diag(7)).
    public borrowing func droppedDatagrams() -> UInt32? {
        let result = weir_receive_drops(number)
        return result < 0 ? nil : UInt32(result)
    }

    /// Removes the oldest error that ``Option/receiveErrorsIPv4`` has queued; nil if there is none. Removing the last
    /// one clears the pending error, too. `isLocal`: this host's kernel refused to send; else the error came by ICMP.
    public borrowing func takeQueuedError() -> (error: SystemError, isLocal: Bool)? {
        var isLocal: CInt = 0
        let code = unsafe weir_take_queued_error(number, &isLocal)
        return code > 0 ? (SystemError(.send, code), isLocal != 0) : nil
    }

    /// Bytes sent and not yet acknowledged by the peer's kernel (`SIOCOUTQ`, tcp(7)); 0 if the connection is gone.
    public borrowing func unacknowledgedBytes() -> Int { max(0, Int(weir_unacknowledged(number))) }

    // MARK: Bytes

    /// recv(2) into `buffer`, which must not be empty.
    public borrowing func receive(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        Self.readResult(unsafe weir_receive(number, buffer.baseAddress, buffer.count))
    }

    /// recv(2) that leaves the bytes in the socket: the next read brings them again.
    public borrowing func receiveCopy(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        Self.readResult(unsafe weir_receive_copy(number, buffer.baseAddress, buffer.count))
    }

    /// Removes at most `count` bytes, which ``receiveCopy(into:)`` has shown, from the socket (`MSG_TRUNC`, tcp(7)). A
    /// Unix socket has to copy them.
    public borrowing func discard(_ count: Int) -> ReadResult {
        Self.readResult(family == .unix ? weir_read_away(number, count) : weir_discard(number, count))
    }

    private static func readResult(_ result: Int64) -> ReadResult {
        if result > 0 { return .bytes(Int(result)) }
        if result == 0 { return .endOfStream }
        return result == -Int64(EAGAIN) ? .wouldBlock : .failed(SystemError(.receive, CInt(-result)))
    }

    /// Whether data or an end of stream is readable (`MSG_PEEK`); neither is consumed. A broken connection without
    /// either returns its error, which is consumed.
    public borrowing func peek() -> ReadResult {
        let result = weir_peek(number)
        if result > 0 { return .bytes(Int(result)) }
        if result == 0 { return .endOfStream }
        return result == -EAGAIN ? .wouldBlock : .failed(SystemError(.receive, -result))
    }

    /// send(2) without SIGPIPE. With `more`, the kernel holds an incomplete segment until the next write, the end of
    /// the stream, or 200 ms (`MSG_MORE`).
    public borrowing func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false) -> WriteResult {
        let result = unsafe weir_send(number, bytes.baseAddress, bytes.count, more ? 1 : 0)
        if result >= 0 { return .bytes(Int(result)) }
        return result == -Int64(EAGAIN) ? .wouldBlock : .failed(SystemError(.send, CInt(-result)))
    }
}
