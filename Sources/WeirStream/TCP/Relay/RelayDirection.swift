// Length: the three ways in which bytes move share private state.
import Glibc
import LinuxIO

/// One direction of a relay: what it has read and not yet written, and the three ways in which bytes move: copied through
/// the worker's buffer, spliced through a pipe, or peeked at while nothing can be kept.
struct RelayDirection {
    private enum Pause: UInt8 {
        case none
        /// A hook holds it back.
        case throttle
        /// It waits for room in the pools.
        case room
    }

    private enum SourceState: UInt8 {
        case open
        /// The source sends no more: its end, or its break, was read.
        case atEnd
        /// The end was passed on to the sink, too.
        case finished
    }

    // In this order a direction takes 40 bytes, of which every connection has two.

    /// Bytes read from the source.
    private(set) var byteCount: UInt64 = 0
    /// Read, and not yet taken by the sink.
    private var backlog = Backlog()
    /// The same for spliced bytes: only while there are some.
    private var pipe: Pipe?
    /// The same for bytes that were shown to the hook, and counted, and wait in the source's socket.
    private var peekedByteCount: Int32 = 0
    private var splicing = SpliceHeuristic()
    private var sourceState = SourceState.open
    private var pause = Pause.none
    let direction: Direction

    init(_ direction: Direction) {
        self.direction = direction
    }

    /// Whether a hook, or a lack of room, holds it back.
    var isPaused: Bool { pause != .none }
    /// Whether a hook holds it back.
    var isThrottled: Bool { pause == .throttle }
    /// Whether the source sends no more: its end, or its break, was read.
    var isSourceAtEnd: Bool { sourceState != .open }
    /// Whether no read tells of a break of the source's.
    var isUnread: Bool { isSourceAtEnd || !isDrained || isPaused }
    /// Whether the end was passed on to the sink.
    var isFinished: Bool { sourceState == .finished }
    /// Bytes read, and not yet taken by the sink.
    var heldByteCount: Int { backlog.count + (pipe?.count ?? 0) + Int(peekedByteCount) }
    var isDrained: Bool { backlog.isEmpty && pipe == nil && peekedByteCount == 0 }

    /// Whether ``advance(from:to:isLast:turn:resources:owner:)`` may have something to do: asked first, because most events
    /// concern one direction only.
    @inline(__always)
    func hasWork(from source: borrowing RelayEndpoint, to sink: borrowing RelayEndpoint) -> Bool {
        source.isReadable || isSourceAtEnd || !isDrained || sink.hasPendingOutput
    }

    mutating func resume() { pause = .none }

    /// Keeps bytes that go to the sink before any of the source's: there must be room for them, and nothing may have been
    /// read yet.
    mutating func prepend(_ bytes: UnsafeRawBufferPointer, resources: RelayResources) {
        unsafe resources.slabs.append(bytes, to: &backlog)
    }

    // MARK: Moving

    /// Moves bytes until the source has nothing more to give, the sink takes nothing more, or the budget of this turn is
    /// spent. Never reads what it could not keep. `isLast` says that the other direction has ended already.
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

    /// Writes what is held. Nil where all of it is gone.
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

    /// A direction that is held back is not read, but its end is seen: where nothing lies before it, it is passed on, and a
    /// break is told.
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

    /// Passes the end on, once. A reset is not an end of stream: a FIN that was not received is never sent.
    private mutating func passOnEnd(from source: borrowing RelayEndpoint, to sink: inout RelayEndpoint, isLast: Bool) {
        guard !isFinished, !source.isBroken, !sink.isBroken else { return }
        sourceState = .finished
        // Where the other direction has ended, too, the close that follows sends the FIN.
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
        // A session has worked without getting at a byte.
        case .bytes(0): return .ended(.yielded)
        case .bytes(let count):
            // A short read has emptied a socket, unless an end came with the data: then no new edge will come.
            let hasEmptied = count < limit && source.traits.contains(.shortReadMeansEmpty)
            if hasEmptied, !source.sawEnd { source.isReadable = false }
            let isLastRead = hasEmptied && source.holdsEverything && !source.isBroken
            note(count, from: &source, withEnd: isLastRead, turn: &turn, owner: owner)
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            // The end follows at once, and goes in the same segment.
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

    /// Shows bytes to the hook and writes them through; what the sink does not take is kept.
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
                // A session may take less than a socket with room would: the rest is offered at once.
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

    /// Writes kept bytes. Nil where all are gone.
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

    /// Moves one piece through a pipe, which is empty. It is kept while the sink has not taken everything, else it goes
    /// back.
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
            // Or urgent data with the end behind it: a read can tell.
            splicing.forbid()
        case .failed(let error) where error.code == EINVAL:
            // The kernel does not splice this source.
            splicing.forbid()
        case .failed(let error):
            resources.pipes.release(pipe)
            return .ended(breakSource(&source, error))
        }
        resources.pipes.release(pipe)
        return .moved(0)
    }

    /// Writes what the pipe holds. Nil where all is gone; the pipe then is, too.
    private mutating func drain(
        _ pipe: Pipe, to sink: inout RelayEndpoint, turn: inout RelayTurn, resources: RelayResources,
        owner: some RelayOwner
    ) -> RelayStep? {
        guard sink.isWritable, !sink.isBroken else { return .waiting }
        while pipe.count > 0 {
            switch sink.drain(pipe) {
            // Pages that are not full count as full ones for the socket: a short write is no proof of a full one.
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

    /// The kernel does not splice into this sink: from here on bytes are copied, beginning with those in the pipe. Where
    /// there is no room for them, they wait in the pipe.
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

    /// Relays without keeping anything while the pool is exhausted: looks at bytes, sends what the sink takes, and takes
    /// only that much out of the source's socket. One more call per read.
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

    /// Gives up what is held.
    /// - Returns: how many bytes of the source's that were.
    mutating func discardHeld(_ resources: RelayResources) -> Int {
        if isDrained { return 0 }
        var count = resources.slabs.clear(&backlog)
        // Nothing was read: the rest of a header of our own was kept.
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
