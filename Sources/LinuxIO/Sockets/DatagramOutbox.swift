import CLinux
import Glibc
import NetworkTypes

/// Headers for one sendmmsg(2). It borrows payloads: they must stay where they are until the flush.
@safe public struct DatagramOutbox: ~Copyable {
    /// The outcome of a flush.
    public enum Outcome: Sendable {
        /// The kernel took this many, at least one.
        case sent(Int)
        /// No room in the socket now; nothing was taken.
        case wouldBlock
        /// The device had no room for the first unsent datagram, which is lost (ENOBUFS in send(2)). Reported only to
        /// sockets with `IP_RECVERR` (ip(7)).
        case lost
        /// An error of the first unsent datagram, or a pending ICMP error of the socket.
        case failed(SystemError)
    }

    private let outbox: OpaquePointer
    /// How many datagrams fit.
    public let capacity: Int

    /// Creates room for `capacity` headers.
    public init(capacity: Int) {
        precondition(capacity > 0)
        guard let outbox = unsafe weir_outbox_create(UInt32(capacity)) else { preconditionFailure("out of memory") }
        unsafe self.outbox = outbox
        self.capacity = capacity
    }

    deinit {
        unsafe weir_outbox_destroy(outbox)
    }

    /// How many datagrams wait for the flush.
    public var count: Int { Int(unsafe weir_outbox_count(outbox)) }
    /// Whether none waits.
    public var isEmpty: Bool { count == 0 }
    /// Whether no more fits.
    public var isFull: Bool { count == capacity }

    /// Removes all datagrams and the destination.
    public borrowing func removeAll() { unsafe weir_outbox_clear(outbox) }

    /// Sets the destination of the next flushes, until ``removeAll()``: `peer`, with the source address `source` if
    /// given (a reply on a wildcard bind). A connected socket needs none.
    public borrowing func setDestination(
        _ peer: SocketAddress, from source: (ip: IPAddress, scope: UInt32)?, family: Socket.Family
    ) {
        var rawPeer = peer.raw
        var rawSource = weir_address()
        if let source {
            rawSource = weir_address(
                high: source.ip.high, low: source.ip.low, scope: source.scope, port: 0, present: 1)
        }
        unsafe weir_outbox_set_destination(outbox, family == .ipv6 ? 1 : 0, &rawPeer, &rawSource)
    }

    /// Adds a datagram.
    public borrowing func add(_ bytes: UnsafeRawBufferPointer) {
        let result = unsafe weir_outbox_add(outbox, bytes.baseAddress, UInt32(bytes.count))
        precondition(result == 0, "the outbox is full")
    }

    /// Puts bytes in front of a waiting datagram, in the memory right before its payload: that must have
    /// ``DatagramInbox/headroom`` bytes which no other datagram uses and of which none is taken yet.
    public borrowing func prepend(_ bytes: [UInt8], at index: Int) {
        precondition(index < count && bytes.count <= DatagramInbox.headroom)
        unsafe bytes.withUnsafeBytes {
            unsafe weir_outbox_prepend(outbox, UInt32(index), $0.baseAddress, UInt32($0.count))
        }
    }

    /// Sends from `first` on, in order. With `coalescing`, each run of equal length leaves as one send, which the
    /// kernel or the card segments (`UDP_SEGMENT`, udp(7)). If that is impossible, the send fails with EINVAL, EMSGSIZE
    /// (a segment exceeds the path MTU) or EIO, and no datagram of the run was sent. Kernels before 4.18, which lack
    /// it, are asked once.
    public borrowing func flush(to socket: borrowing Socket, from first: Int, coalescing: Bool) -> Outcome {
        let result = unsafe weir_outbox_flush(outbox, socket.number, UInt32(first), coalescing ? 1 : 0)
        if result >= 0 { return .sent(Int(result)) }
        switch -result {
        case EAGAIN: return .wouldBlock
        case ENOBUFS: return .lost
        default: return .failed(SystemError(.send, -result))
        }
    }

    /// The length of a waiting datagram.
    public borrowing func length(at index: Int) -> Int { Int(unsafe weir_outbox_length(outbox, UInt32(index))) }
}
