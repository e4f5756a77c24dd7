// Length: copying, splicing and peeking share private state.
import Glibc
import LinuxIO

/// One direction of a relay: the bytes that are read and not yet written, and the three ways to move bytes: copying
/// through the worker's buffer, splicing through a pipe, and peeking while the pool is exhausted.
struct RelayDirection {
    private enum Pause: UInt8 {
        case none
        /// A hook paused the direction.
        case throttle
        /// The direction waits for room in the pools.
        case room
    }

    private enum SourceState: UInt8 {
        case open
        /// The end or the failure of the source was read.
        case atEnd
        /// The end was forwarded to the sink.
        case finished
    }

    // In this order a direction takes 40 bytes, and every connection has two.

    /// The bytes read from the source.
    private(set) var byteCount: UInt64 = 0
    /// The bytes that are read and that the sink has not accepted yet.
    private var backlog = Backlog()
    /// The pipe with spliced bytes that the sink has not accepted yet; nil where there are none.
    private var pipe: Pipe?
    /// The peeked bytes, which the hook has seen and which are counted, but which are still in the source's socket.
    private var peekedByteCount: Int32 = 0
    private var splicing = SpliceHeuristic()
    private var sourceState = SourceState.open
    private var pause = Pause.none
    let direction: Direction

    init(_ direction: Direction) {
        self.direction = direction
    }

    /// Whether a hook, or a lack of room, paused the direction.
    var isPaused: Bool { pause != .none }
    /// Whether a hook paused the direction.
    var isThrottled: Bool { pause == .throttle }
    /// Whether the end or the failure of the source was read.
    var isSourceAtEnd: Bool { sourceState != .open }
    /// Whether no read is due that would report a failure of the source.
    var isUnread: Bool { isSourceAtEnd || !isDrained || isPaused }
    /// Whether the end was forwarded to the sink.
    var isFinished: Bool { sourceState == .finished }
    /// The bytes that are read and that the sink has not accepted yet.
    var heldByteCount: Int { backlog.count + (pipe?.count ?? 0) + Int(peekedByteCount) }
    var isDrained: Bool { backlog.isEmpty && pipe == nil && peekedByteCount == 0 }

    /// Whether ``advance(from:to:isLast:turn:resources:owner:)`` may have work. Checked first, because most events
    /// concern one direction only.
    @inline(__always)
    func hasWork(from source: borrowing RelayEndpoint, to sink: borrowing RelayEndpoint) -> Bool {
        source.isReadable || isSourceAtEnd || !isDrained || sink.hasPendingOutput
    }

    mutating func resume() { pause = .none }

    /// Adds bytes that go to the sink before those of the source. The pool must have room, and nothing may have been
    /// read yet.
    mutating func prepend(_ bytes: UnsafeRawBufferPointer, resources: RelayResources) {
        unsafe resources.slabs.append(bytes, to: &backlog)
    }

    // MARK: Moving

    /// Moves bytes until the source is empty, the sink is full, or the budget of this turn is spent. It never reads
    /// bytes that it could not buffer. `isLast` tells that the other direction has ended.
    mutating func advance(
        from source: inout RelayEndpoint, to sink: inout RelayEndpoint, isLast: Bool, turn: inout RelayTurn,
        resources: RelayResources, owner: some RelayOwner
    ) -> RelayStep {
        var budget = RelayResources.maxBytesPerTurn
        while true {
            if !isDrained || sink.hasPendingOutput,
                let step = writeHeld(to: &sink, turn: &turn, resources: resources, owner: owner)
            {
                return step
            }
            if isSourceAtEnd {
                passOnEnd(from: source, to: &sink, isLast: isLast)
                return .waiting
            }
            guard source.isReadable, !sink.isBroken else { return .waiting }
            if isPaused { return lookForEnd(of: &source, to: &sink, isLast: isLast, turn: &turn) }
            guard budget > 0 else { return .yielded }
            let granted = owner.relayMayRead(direction)
            guard granted > 0 else {
                pause = .throttle
                continue
            }
            let move: RelayMove
            let limit = min(RelayResources.bufferSize, resources.slabs.availableByteCount, granted)
            if peekedByteCount == 0, splicing.prefersSplice, !source.sawUrgent, let pipe = resources.pipes.acquire() {
                move = splice(
                    granted, through: pipe, from: &source, to: &sink, turn: &turn, resources: resources, owner: owner)
            } else if limit == 0 || peekedByteCount > 0 {
                move = relayByPeeking(
                    granted, from: &source, to: &sink, turn: &turn, resources: resources, owner: owner)
            } else {
                move = copy(limit, from: &source, to: &sink, turn: &turn, resources: resources, owner: owner)
            }
            switch move {
            case .moved(let count): budget -= count
            case .ended(let step): return step
            }
        }
    }

    /// Writes the held bytes. Returns nil where the sink has accepted all of them.
    private mutating func writeHeld(
        to sink: inout RelayEndpoint, turn: inout RelayTurn, resources: RelayResources,
        owner: some RelayOwner
    ) -> RelayStep? {
        if sink.hasPendingOutput {
            guard sink.isWritable, !sink.isBroken else { return .waiting }
            do throws(SystemError) { try sink.flushPendingOutput() } catch { return breakSink(&sink, error) }
            turn.hasActivity = true
            if sink.hasPendingOutput { return .waiting }
        }
        if !backlog.isEmpty, let step = writeBacklog(to: &sink, turn: &turn, resources: resources) { return step }
        if let pipe { return drain(pipe, to: &sink, turn: &turn, resources: resources, owner: owner) }
        return nil
    }

    /// Checks the source of a paused direction, which is not read, for its end or its failure. An end is forwarded
    /// where no bytes precede it.
    private mutating func lookForEnd(
        of source: inout RelayEndpoint, to sink: inout RelayEndpoint, isLast: Bool, turn: inout RelayTurn
    ) -> RelayStep {
        guard source.sawEnd, source.traits.contains(.canPeek) else { return .waiting }
        switch source.peek() {
        case .bytes: return .waiting
        case .wouldBlock: source.isReadable = false
        case .endOfStream:
            sourceEnded(&source, turn: &turn)
            passOnEnd(from: source, to: &sink, isLast: isLast)
        case .failed(let error): return breakSource(&source, error)
        }
        return .waiting
    }

    /// Forwards the end, once. A reset is not an end of stream: a FIN that was not received is never sent.
    private mutating func passOnEnd(from source: borrowing RelayEndpoint, to sink: inout RelayEndpoint, isLast: Bool) {
        guard !isFinished, !source.isBroken, !sink.isBroken else { return }
        sourceState = .finished
        // Where the other direction has ended, too, the following close(2) sends the FIN.
        if !isLast || !sink.traits.contains(.closeSendsEnd) { sink.finishWriting() }
    }

    // MARK: Copying

    @inline(__always)
    private mutating func copy(
        _ limit: Int, from source: inout RelayEndpoint, to sink: inout RelayEndpoint, turn: inout RelayTurn,
        resources: RelayResources, owner: some RelayOwner
    ) -> RelayMove {
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: resources.buffer[..<limit])
        switch unsafe source.receive(into: buffer) {
        // The session did work that gave no bytes.
        case .bytes(0): return .ended(.yielded)
        case .bytes(let count):
            // A short read has emptied the socket. After an end, however, no new edge comes: keep it readable.
            let hasEmptied = count < limit && source.traits.contains(.shortReadMeansEmpty)
            if hasEmptied || source.hasEmptiedSocket, !source.sawEnd { source.isReadable = false }
            let isLastRead = hasEmptied && source.holdsEverything && !source.isBroken
            note(count, from: &source, withEnd: isLastRead, turn: &turn, owner: owner)
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            // The end follows at once, in the same segment.
            if let step = unsafe passOn(
                bytes, to: &sink, endFollows: isLastRead, turn: &turn, resources: resources, owner: owner)
            {
                return .ended(step)
            }
            if isLastRead { sourceEnded(&source, turn: &turn) } else { splicing.noteRead(count, limit: limit) }
            return .moved(count)
        case .wouldBlock: source.isReadable = false
        case .endOfStream: sourceEnded(&source, turn: &turn)
        case .failed(let error): return .ended(breakSource(&source, error))
        }
        return .moved(0)
    }

    /// Passes bytes to the hook and writes them. Bytes that the sink does not accept go to the backlog.
    @inline(__always)
    private mutating func passOn(
        _ bytes: UnsafeRawBufferPointer, to sink: inout RelayEndpoint, endFollows: Bool, turn: inout RelayTurn,
        resources: RelayResources,
        owner: some RelayOwner
    ) -> RelayStep? {
        guard isPassed(bytes.count, owner: owner) else { return .stopped(discarded: bytes.count) }
        var failure: SystemError?
        switch unsafe sink.send(bytes, more: endFollows) {
        case .bytes(let count):
            if count == bytes.count {
                if sink.hasPendingOutput { owner.relayMetBackpressure(direction) }
                return nil
            }
            unsafe resources.slabs.append(UnsafeRawBufferPointer(rebasing: bytes[count...]), to: &backlog)
            if !sink.traits.contains(.shortWriteMeansFull) {
                // A session may accept less than a socket with room: offer the rest at once.
                let step = writeBacklog(to: &sink, turn: &turn, resources: resources)
                if case .waiting = step { owner.relayMetBackpressure(direction) }
                return step
            }
        case .wouldBlock:
            unsafe resources.slabs.append(bytes, to: &backlog)
        case .failed(let error):
            unsafe resources.slabs.append(bytes, to: &backlog)
            failure = error
        }
        sink.isWritable = false
        if let failure { return breakSink(&sink, failure) }
        owner.relayMetBackpressure(direction)
        return nil
    }

    /// Writes the backlog. Returns nil where the sink has accepted all of it.
    private mutating func writeBacklog(
        to sink: inout RelayEndpoint, turn: inout RelayTurn, resources: RelayResources
    ) -> RelayStep? {
        guard sink.isWritable, !sink.isBroken else { return .waiting }
        while !backlog.isEmpty {
            let front = unsafe resources.slabs.front(of: backlog)
            switch unsafe sink.send(front, more: false) {
            case .bytes(let count):
                resources.slabs.dropFront(count, of: &backlog)
                turn.hasActivity = true
                if count < front.count, sink.traits.contains(.shortWriteMeansFull) {
                    sink.isWritable = false
                    return .waiting
                }
            case .wouldBlock:
                sink.isWritable = false
                return .waiting
            case .failed(let error):
                sink.isWritable = false
                return breakSink(&sink, error)
            }
        }
        return nil
    }

    // MARK: Splicing

    /// Moves one piece through an empty pipe. The direction keeps the pipe until the sink has accepted all bytes.
    private mutating func splice(
        _ granted: Int, through pipe: Pipe, from source: inout RelayEndpoint, to sink: inout RelayEndpoint,
        turn: inout RelayTurn, resources: RelayResources, owner: some RelayOwner
    ) -> RelayMove {
        guard source.traits.contains(.canSplice), sink.traits.contains(.canSplice) else {
            resources.pipes.release(pipe)
            splicing.forbid()
            return .moved(0)
        }
        switch source.fill(pipe, limit: min(PipePool.pipeSize, granted)) {
        case .bytes(let count):
            note(count, from: &source, withEnd: false, turn: &turn, owner: owner)
            splicing.notePiece(count)
            guard isPassed(count, owner: owner) else {
                resources.pipes.release(pipe)
                return .ended(.stopped(discarded: count))
            }
            self.pipe = pipe
            guard let step = drain(pipe, to: &sink, turn: &turn, resources: resources, owner: owner) else {
                return .moved(count)
            }
            if !sink.isBroken { owner.relayMetBackpressure(direction) }
            return .ended(step)
        case .wouldBlock:
            source.isReadable = false
        case .endOfStream:
            // Either the end, or urgent data before it: a read tells them apart.
            splicing.forbid()
        case .failed(let error) where error.code == EINVAL:
            // The kernel cannot splice from this source (splice(2)).
            splicing.forbid()
        case .failed(let error):
            resources.pipes.release(pipe)
            return .ended(breakSource(&source, error))
        }
        resources.pipes.release(pipe)
        return .moved(0)
    }

    /// Writes the bytes of the pipe. Returns nil where the sink has accepted all of them, and releases the pipe.
    private mutating func drain(
        _ pipe: Pipe, to sink: inout RelayEndpoint, turn: inout RelayTurn, resources: RelayResources,
        owner: some RelayOwner
    ) -> RelayStep? {
        guard sink.isWritable, !sink.isBroken else { return .waiting }
        while pipe.count > 0 {
            switch sink.drain(pipe) {
            // The socket counts a partial page as a full one: a short write does not mean that the socket is full.
            case .bytes(0): return keepCopied(pipe, to: &sink, turn: &turn, resources: resources, owner: owner)
            case .bytes: turn.hasActivity = true
            case .wouldBlock:
                sink.isWritable = false
                return .waiting
            case .failed(let error) where error.code == EINVAL:
                return keepCopied(pipe, to: &sink, turn: &turn, resources: resources, owner: owner)
            case .failed(let error):
                sink.isWritable = false
                return breakSink(&sink, error)
            }
        }
        self.pipe = nil
        resources.pipes.release(pipe)
        return nil
    }

    /// Copies the bytes of the pipe to the backlog, because the kernel cannot splice to this sink; further bytes are
    /// copied, too. Without room in the pool, they wait in the pipe.
    private mutating func keepCopied(
        _ pipe: Pipe, to sink: inout RelayEndpoint, turn: inout RelayTurn, resources: RelayResources,
        owner: some RelayOwner
    ) -> RelayStep {
        splicing.forbid()
        while pipe.count > 0 {
            guard resources.slabs.availableByteCount >= RelayResources.bufferSize else {
                pauseForRoom(owner)
                return .waiting
            }
            do throws(SystemError) {
                let count = try unsafe pipe.read(into: resources.buffer)
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: resources.buffer[..<count])
                unsafe resources.slabs.append(bytes, to: &backlog)
            } catch {
                return breakSink(&sink, error)
            }
        }
        self.pipe = nil
        resources.pipes.release(pipe)
        return .yielded
    }

    // MARK: Peeking

    /// Relays without buffering while the pool is exhausted: peeks, sends what the sink accepts, and consumes exactly
    /// that much from the source's socket. One more call per read.
    private mutating func relayByPeeking(
        _ granted: Int, from source: inout RelayEndpoint, to sink: inout RelayEndpoint, turn: inout RelayTurn,
        resources: RelayResources,
        owner: some RelayOwner
    ) -> RelayMove {
        guard source.traits.contains(.canPeek) else {
            pauseForRoom(owner)
            return .ended(.waiting)
        }
        guard sink.isWritable else { return .ended(.waiting) }
        let before = Int(peekedByteCount)
        let limit = min(RelayResources.bufferSize, before + min(granted, RelayResources.bufferSize))
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: resources.buffer[..<limit])
        switch unsafe source.receiveCopy(into: buffer) {
        case .bytes(let count):
            let newCount = count - before
            if newCount > 0 {
                note(newCount, from: &source, withEnd: false, turn: &turn, owner: owner)
                guard isPassed(newCount, owner: owner) else { return .ended(.stopped(discarded: newCount)) }
                peekedByteCount = Int32(count)
            }
            var failure: SystemError?
            switch unsafe sink.send(UnsafeRawBufferPointer(rebasing: buffer[..<count]), more: false) {
            case .bytes(let sent):
                source.discard(sent)
                peekedByteCount = Int32(count - sent)
                turn.hasActivity = true
                if sent == count || !sink.traits.contains(.shortWriteMeansFull) { return .moved(sent) }
            case .wouldBlock: break
            case .failed(let error): failure = error
            }
            sink.isWritable = false
            if let failure { return .ended(breakSink(&sink, failure)) }
            if newCount > 0 { owner.relayMetBackpressure(direction) }
            return .ended(.waiting)
        case .wouldBlock: source.isReadable = false
        case .endOfStream: sourceEnded(&source, turn: &turn)
        case .failed(let error): return .ended(breakSource(&source, error))
        }
        return .moved(0)
    }

    // MARK: Bookkeeping

    /// Counts bytes that were just read.
    @inline(__always)
    private mutating func note(
        _ count: Int, from source: inout RelayEndpoint, withEnd: Bool, turn: inout RelayTurn, owner: some RelayOwner
    ) {
        if byteCount == 0 {
            if direction == .ingress {
                turn.isAsked = true
            } else {
                owner.relayGotResponse(isAsked: turn.isAsked, withEnd: withEnd)
                source.responded(withEnd: withEnd)
            }
        }
        byteCount += UInt64(count)
        turn.hasActivity = true
    }

    /// Asks the hook about bytes that were read. False where it stops the connection.
    @inline(__always)
    private mutating func isPassed(_ count: Int, owner: some RelayOwner) -> Bool {
        switch owner.relayDidRead(count, direction) {
        case .forward: return true
        case .pause:
            pause = .throttle
            return true
        case .close: return false
        }
    }

    private mutating func pauseForRoom(_ owner: some RelayOwner) {
        pause = .room
        owner.relayNeedsRoom(direction)
    }

    /// A FIN counts as activity: the half-close timeout starts here.
    private mutating func sourceEnded(_ source: inout RelayEndpoint, turn: inout RelayTurn) {
        turn.hasActivity = true
        sourceState = .atEnd
        source.isReadable = false
    }

    private mutating func breakSource(_ source: inout RelayEndpoint, _ error: SystemError) -> RelayStep {
        sourceState = .atEnd
        source.fail()
        source.isReadable = false
        return .sourceBroke(error)
    }

    private func breakSink(_ sink: inout RelayEndpoint, _ error: SystemError) -> RelayStep {
        sink.fail()
        return .sinkBroke(error)
    }

    /// Discards the held bytes.
    /// - Returns: the number of those that came from the source.
    mutating func discardHeld(_ resources: RelayResources) -> Int {
        if isDrained { return 0 }
        var count = resources.slabs.clear(&backlog)
        // Nothing was read: the backlog had the rest of the relay's own header.
        if byteCount == 0 { return 0 }
        count += Int(peekedByteCount)
        peekedByteCount = 0
        if let pipe {
            count += pipe.count
            self.pipe = nil
            resources.pipes.release(pipe)
        }
        return count
    }
}
