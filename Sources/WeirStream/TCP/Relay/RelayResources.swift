import LinuxIO

/// The resources that the relays of one worker share: a buffer for bytes that are read and written within one call, and
/// the pools for bytes that wait. Confined to the worker.
@safe final class RelayResources {
    let slabs: SlabPool
    let pipes: PipePool
    /// A buffer that is filled and emptied within one call.
    let buffer: UnsafeMutableRawBufferPointer

    static let bufferSize = 128 << 10
    /// The bytes that one direction of a connection may move in a turn, so that the others get theirs.
    static let maxBytesPerTurn = 512 << 10
    /// The pause of a direction that needs room in the pools: no event reports that there is room.
    static let roomRetryDelay = Duration.milliseconds(10)

    /// Creates pools of at most `bufferMemory` bytes; pipes use descriptors of `budget`.
    init(bufferMemory: Int, budget: DescriptorBudget) {
        slabs = SlabPool(bytes: bufferMemory)
        pipes = PipePool(budget: budget)
        unsafe buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
    }

    deinit {
        unsafe buffer.deallocate()
    }
}

/// The owner of a relay, which decides about every read and receives the events of a direction. The relay calls it
/// synchronously while it advances, so the owner must not call the relay.
protocol RelayOwner: AnyObject {
    /// Returns the limit of the next read or splice in bytes; 0 pauses the direction until the owner calls
    /// ``Relay/resume(_:now:)``.
    func relayMayRead(_ direction: Direction) -> Int
    /// Decides whether bytes that were just read are forwarded. A pause begins after they were; the owner ends it with
    /// ``Relay/resume(_:now:)``.
    func relayDidRead(_ byteCount: Int, _ direction: Direction) -> ReadDecision
    /// A direction needs room in the pools: the owner resumes it after ``RelayResources/roomRetryDelay``.
    func relayNeedsRoom(_ direction: Direction)
    /// The sink accepted less than was offered.
    func relayMetBackpressure(_ direction: Direction)
    /// Bytes that were read cannot be delivered any more.
    func relayDiscarded(_ byteCount: Int, _ direction: Direction)
    /// The first read of the upstream's response: whether the client had sent a byte, and whether the end came with it.
    func relayGotResponse(isAsked: Bool, withEnd: Bool)
}

/// The state of one call of ``Relay/advance(now:resources:owner:)`` over both directions.
struct RelayTurn {
    /// Whether a byte of the client has been read.
    var isAsked: Bool
    /// Whether a byte moved, or an end was read.
    var hasActivity = false
}
