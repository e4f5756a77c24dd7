import CLinux
import Glibc
import NetworkTypes

/// One received datagram. Its bytes live in the inbox until the next receive.
@safe public struct ReceivedDatagram {
    /// The payload, 0 to 65,535 bytes.
    public let bytes: UnsafeRawBufferPointer
    /// The sender; nil on a connected socket.
    public let peer: SocketAddress?
    /// The local address it was sent to, without a port; nil unless packet info is on for the socket
    /// (``Socket/Option/packetInfoIPv4``).
    public let localIP: IPAddress?
    /// The interface of a link-local `localIP`, else 0.
    public let localScope: UInt32
    /// Whether it was sent to an IPv4 broadcast or multicast address; `localIP` is then that of the interface. Known
    /// where packet info of IPv4 is on.
    public let isBroadcast: Bool
    /// Whether it was longer than the buffer.
    public let isTruncated: Bool
    /// `SO_RXQ_OVFL`: datagrams that the socket has dropped since it was opened, modulo 2^32.
    public let droppedByKernel: UInt32?
}

/// Buffers for one recvmmsg(2). A worker has one and empties it before the next receive.
@safe public struct DatagramInbox: ~Copyable {
    /// The outcome of a receive.
    public enum Outcome: Sendable {
        /// This many datagrams; fewer than the capacity means that the socket is empty.
        case received(Int)
        /// No datagram is queued now.
        case wouldBlock
        /// A pending ICMP error (udp(7)), or a local failure.
        case failed(SystemError)
    }

    /// The longest payload that UDP can carry over IPv6 without jumbograms, and more than IPv4's 65,507.
    public static let bufferSize = 65_536

    /// Bytes in front of every datagram that ``DatagramOutbox/prepend(_:at:)`` may write to.
    public static let headroom = Int(WEIR_INBOX_HEADROOM)

    private let inbox: OpaquePointer
    /// How many datagrams one receive can bring.
    public let capacity: Int

    /// Creates room for `capacity` datagrams of any length. The kernel provides pages only as datagrams are written to
    /// them.
    public init(capacity: Int) {
        precondition(capacity > 0)
        guard let inbox = unsafe weir_inbox_create(UInt32(capacity), UInt32(Self.bufferSize)) else {
            preconditionFailure("out of memory")
        }
        unsafe self.inbox = inbox
        self.capacity = capacity
    }

    deinit {
        unsafe weir_inbox_destroy(inbox)
    }

    /// Receives up to ``capacity`` queued datagrams without blocking. A connected socket skips the peer addresses.
    public borrowing func receive(from socket: borrowing Socket, isConnected: Bool) -> Outcome {
        let count = unsafe weir_inbox_receive(inbox, socket.number, isConnected ? 0 : 1)
        if count >= 0 { return .received(Int(count)) }
        return count == -EAGAIN ? .wouldBlock : .failed(SystemError(.receive, -count))
    }

    /// A datagram of the last receive.
    public borrowing func datagram(at index: Int) -> ReceivedDatagram {
        precondition(index < capacity)
        let raw = unsafe weir_inbox_datagram(inbox, UInt32(index)).pointee
        return unsafe ReceivedDatagram(
            bytes: UnsafeRawBufferPointer(start: raw.bytes, count: Int(raw.length)),
            peer: raw.peer.present == 0 ? nil : SocketAddress(raw.peer),
            localIP: raw.local.present == 0 ? nil : IPAddress(high: raw.local.high, low: raw.local.low),
            localScope: raw.local.scope,
            isBroadcast: raw.is_broadcast != 0,
            isTruncated: raw.truncated != 0,
            droppedByKernel: raw.has_overflow == 0 ? nil : raw.overflow)
    }

    /// Removes the first `count` bytes of a datagram of the last receive; the rest is the datagram from now on.
    public borrowing func dropFirst(_ count: Int, at index: Int) {
        precondition(unsafe index < capacity && count <= Int(weir_inbox_datagram(inbox, UInt32(index)).pointee.length))
        unsafe weir_inbox_drop_first(inbox, UInt32(index), UInt32(count))
    }
}
