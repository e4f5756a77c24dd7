import CLinux
import Glibc

/// Headers for one sendmmsg(2). It borrows payloads: they must stay where they are until the flush.
@safe public struct DatagramOutbox: ~Copyable {
    /// What a flush came to.
    public enum Outcome: Sendable {
        /// The kernel took this many, at least one.
        case sent(Int)
        /// No room now; nothing was taken.
        case wouldBlock
        /// An error that concerns the first one not yet sent, or a pending ICMP error of the socket.
        case failed(SystemError)
    }

    private let outbox: OpaquePointer
    /// How many datagrams fit.
    public let capacity: Int

    /// Room for `capacity` headers.
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

    /// Forgets what was added.
    public borrowing func removeAll() { unsafe weir_outbox_clear(outbox) }

    /// Adds a datagram for a connected socket.
    public borrowing func add(_ bytes: UnsafeRawBufferPointer) {
        let result = unsafe weir_outbox_add(outbox, bytes.baseAddress, UInt32(bytes.count), 0, nil, nil)
        precondition(result == 0, "the outbox is full")
    }

    /// Adds a datagram to `peer`, leaving from `source` where that is given (a reply on a wildcard bind).
    public borrowing func add(
        _ bytes: UnsafeRawBufferPointer, to peer: SocketAddress, from source: (ip: IPAddress, scope: UInt32)?,
        family: Socket.Family
    ) {
        var rawPeer = peer.raw
        var rawSource = weir_address()
        if let source {
            rawSource = weir_address(
                high: source.ip.high, low: source.ip.low, scope: source.scope, port: 0, present: 1)
        }
        let result = unsafe weir_outbox_add(
            outbox, bytes.baseAddress, UInt32(bytes.count), family == .ipv6 ? 1 : 0, &rawPeer, &rawSource)
        precondition(result == 0, "the outbox is full")
    }

    /// Sends from `first` on, in order.
    public borrowing func flush(to socket: borrowing Socket, from first: Int) -> Outcome {
        let result = unsafe weir_outbox_flush(outbox, socket.number, UInt32(first))
        if result >= 0 { return .sent(Int(result)) }
        return result == -EAGAIN || result == -ENOBUFS ? .wouldBlock : .failed(SystemError(.send, -result))
    }

    /// The length of a waiting datagram.
    public borrowing func length(at index: Int) -> Int { Int(unsafe weir_outbox_length(outbox, UInt32(index))) }
}
