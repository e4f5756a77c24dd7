import LinuxIO

/// What the relays of one worker share: a buffer for what is read and written within one call, and the pools for what is
/// kept. Confined to the worker.
@safe final class RelayResources {
    let slabs: SlabPool
    let pipes: PipePool
    /// Filled and emptied within one call: nothing in it survives a turn.
    let buffer: UnsafeMutableRawBufferPointer

    static let bufferSize = 128 << 10
    /// What one connection may move per direction before the others get their turn.
    static let maxBytesPerTurn = 512 << 10
    /// How long a direction rests that needs room in the pools to go on, where no event tells of it.
    static let roomRetryDelay = Duration.milliseconds(10)

    /// Pools of at most `bufferMemory` bytes; pipes are taken from `budget`.
    init(bufferMemory: Int, budget: DescriptorBudget) {
        slabs = SlabPool(bytes: bufferMemory)
        pipes = PipePool(budget: budget)
        unsafe buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
    }

    deinit {
        unsafe buffer.deallocate()
    }
}

/// The owner of a relay: asked about every read, and told what happens within a direction. Called synchronously while the
/// relay advances, so it must not touch the relay.
protocol RelayOwner: AnyObject {
    /// The most bytes that the next read or splice of a direction may bring; 0 to hold it back, until the owner calls
    /// ``Relay/resume(_:now:)``.
    func relayMayRead(_ direction: Direction) -> Int
    /// Says whether bytes that were just read are passed on. A pause holds after they were; the owner ends it with
    /// ``Relay/resume(_:)``.
    func relayDidRead(_ byteCount: Int, _ direction: Direction) -> ReadDecision
    /// A direction needs room in the pools: to be resumed after ``RelayResources/roomRetryDelay``.
    func relayNeedsRoom(_ direction: Direction)
    /// The sink took less than it was given.
    func relayMetBackpressure(_ direction: Direction)
    /// Bytes that were read cannot be delivered any more.
    func relayDiscarded(_ byteCount: Int, _ direction: Direction)
    /// The first read of the upstream's response: whether the client had sent something, and whether the end came with it.
    func relayGotResponse(isAsked: Bool, withEnd: Bool)
}

/// What one call of ``Relay/advance(now:resources:owner:)`` carries through both directions.
struct RelayTurn {
    /// Whether a byte of the client's has been read.
    var isAsked: Bool
    /// Whether a byte moved, or an end came.
    var hasActivity = false
}
