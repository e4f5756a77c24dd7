import LinuxIO

extension TCPConnection {
    enum PumpOutcome {
        case done
        /// A hook ended the connection; this many bytes were read and not passed on.
        case closedByHook(discarded: Int)
    }

    /// Moves what can be moved, both ways, and looks whether something ended.
    func relay() {
        if phase == .relaying {
            if case .closedByHook(let count) = pump(.ingress, &client, &upstream, &ingress, isLast: egress.isFinished) {
                endByHook(.ingress, discarded: count)
                return
            }
            if case .closedByHook(let count) = pump(.egress, &upstream, &client, &egress, isLast: ingress.isFinished) {
                endByHook(.egress, discarded: count)
                return
            }
        } else if phase == .flushing {
            // What the broken side had sent still goes to the other one; nothing goes the other way any more.
            let outcome =
                client.isBroken
                ? pump(.ingress, &client, &upstream, &ingress, isLast: false)
                : pump(.egress, &upstream, &client, &egress, isLast: false)
            if case .closedByHook(let count) = outcome {
                endByHook(client.isBroken ? .ingress : .egress, discarded: count)
                return
            }
        }
        settle()
    }

    private func endByHook(_ direction: Direction, discarded count: Int) {
        if count > 0 { route.observer?.discarded(context, direction: direction, byteCount: count) }
        end(.hook, withReset: true)
    }

    /// Moves one direction until a side has nothing more to give or takes nothing more, or the budget of this turn is
    /// spent. Never reads what it could not keep. `isLast` says that the other direction has ended already.
    private func pump(
        _ direction: Direction, _ source: inout Side, _ sink: inout Side, _ flow: inout Flow, isLast: Bool
    ) -> PumpOutcome {
        var budget = WorkerCore.bytesPerTurn
        while true {
            if !flow.backlog.isEmpty {
                guard writeBacklog(direction, &sink, &flow) else { return .done }
            }
            if let pipe = flow.pipe {
                guard drain(pipe, direction, &sink, &flow) else { return .done }
            }
            if flow.isSourceAtEnd {
                // A source that broke did not end: its FIN is not ours to invent.
                if !flow.isFinished, !source.isBroken, !sink.isBroken {
                    flow.isFinished = true
                    // Where the other direction has ended, too, the close that follows sends the FIN.
                    if !isLast { sink.finishWriting() }
                }
                return .done
            }
            guard source.isReadable, !flow.isThrottled, !sink.isBroken else { return .done }
            guard budget > 0 else {
                core.loop.defer(token.with(tag: Self.clientTag))
                return .done
            }
            if flow.announced == 0, !source.sawUrgent, flow.pace.isBulk, let pipe = core.pipes.take() {
                switch splice(through: pipe, direction, &source, &sink, &flow) {
                case .moved(let count): budget -= count
                case .closedByHook(let count): return .closedByHook(discarded: count)
                case .notPossible: flow.pace.forbidBulk()
                }
                continue
            }
            let limit = readLimit
            if limit == 0 || flow.announced > 0 {
                switch passWithoutKeeping(direction, &source, &sink, &flow) {
                case .moved(let count): budget -= count
                case .sinkIsFull: return .done
                case .closedByHook(let count): return .closedByHook(discarded: count)
                }
                continue
            }
            let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: core.readBuffer[..<limit])
            switch unsafe source.receive(into: buffer) {
            case .bytes(let count):
                // A short read has emptied the socket, unless an end came with the data: then no new edge will come.
                if count < limit, !source.sawEnd { source.isReadable = false }
                let isLastRead = count < limit && source.holdsEverything && !source.isBroken
                budget -= count
                if flow.byteCount == 0 { firstBytes(direction, &source, withEnd: isLastRead) }
                flow.byteCount += UInt64(count)
                lastActivity = core.loop.now
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
                // The end follows at once, and goes in the same segment.
                guard unsafe passOn(direction, bytes, &sink, &flow, endFollows: isLastRead)
                else { return .closedByHook(discarded: count) }
                if isLastRead { ended(direction, &source, &flow) } else { flow.pace.noteRead(count, limit: limit) }
            case .wouldBlock:
                source.isReadable = false
            case .endOfStream:
                ended(direction, &source, &flow)
            case .failed(let error):
                flow.isSourceAtEnd = true
                source.isReadable = false
                broke(&source, isClient: direction == .ingress, error)
            }
        }
    }

    /// The first bytes of a direction are about to be counted.
    func firstBytes(_ direction: Direction, _ source: inout Side, withEnd: Bool) {
        if direction == .ingress {
            hasQuestion = true
        } else {
            upstreamAnswered(withEnd: withEnd)
            source.answered(withEnd: withEnd)
        }
    }

    func ended(_ direction: Direction, _ source: inout Side, _ flow: inout Flow) {
        // The end is a word of the peer's, too: the silence that a half-closed connection may keep begins here.
        lastActivity = core.loop.now
        flow.isSourceAtEnd = true
        source.isReadable = false
        if firstEnd == nil { firstEnd = direction }
    }

    /// What could be kept, should the sink take nothing of it.
    private var readLimit: Int {
        min(WorkerCore.readBufferSize, core.slabs.availableBytes, max(1, route.hooks.largestRead ?? .max))
    }

    /// Asks the hook about bytes that were read. False where it closes.
    func mayPass(_ count: Int, _ direction: Direction, _ flow: inout Flow) -> Bool {
        guard let onRead = route.hooks.onRead else { return true }
        switch onRead(ReadEvent(context: context, direction: direction, byteCount: count, readCount: 1)) {
        case .forward: return true
        case .pause(let time):
            throttle(direction, time, &flow)
            return true
        case .close: return false
        }
    }

    /// Hands bytes to the hook and writes them through; what the sink does not take is kept. False where the hook
    /// closes.
    private func passOn(
        _ direction: Direction, _ bytes: UnsafeRawBufferPointer, _ sink: inout Side, _ flow: inout Flow,
        endFollows: Bool
    ) -> Bool {
        guard mayPass(bytes.count, direction, &flow) else { return false }
        switch unsafe sink.send(bytes, more: endFollows) {
        case .bytes(let count):
            if count == bytes.count { return true }
            unsafe core.slabs.append(UnsafeRawBufferPointer(rebasing: bytes[count...]), to: &flow.backlog)
        case .wouldBlock:
            unsafe core.slabs.append(bytes, to: &flow.backlog)
        case .failed(let error):
            unsafe core.slabs.append(bytes, to: &flow.backlog)
            broke(&sink, isClient: direction == .egress, error)
        }
        sink.isWritable = false
        if !sink.isBroken { route.observer?.paused(context, direction: direction, cause: .backpressure) }
        return true
    }

    /// Writes kept bytes. Returns whether all are gone.
    private func writeBacklog(_ direction: Direction, _ sink: inout Side, _ flow: inout Flow) -> Bool {
        guard sink.isWritable, !sink.isBroken else { return false }
        while !flow.backlog.isEmpty {
            let front = unsafe core.slabs.front(of: flow.backlog)
            switch unsafe sink.send(front, more: false) {
            case .bytes(let count):
                core.slabs.dropFront(count, of: &flow.backlog)
                lastActivity = core.loop.now
                if count < front.count {
                    sink.isWritable = false
                    return false
                }
            case .wouldBlock:
                sink.isWritable = false
                return false
            case .failed(let error):
                sink.isWritable = false
                broke(&sink, isClient: direction == .egress, error)
                return false
            }
        }
        return true
    }

    /// The first break names the reason; whatever the side sent before it is still read.
    func broke(_ side: inout Side, isClient: Bool, _ error: SystemError) {
        side.isBroken = true
        side.sawEnd = true
        side.isReadable = true
        if brokenReason == nil { brokenReason = ConnectionCloseReason(error, isClient: isClient) }
    }

    /// An error that epoll reported, and that no read or write will tell because none is due on that side.
    func noteError(_ side: inout Side, isClient: Bool) {
        side.hasError = false
        guard !side.isBroken, let error = side.takeError() else { return }
        broke(&side, isClient: isClient, error)
    }

    // MARK: Throttling

    func throttle(_ direction: Direction, _ time: Duration, _ flow: inout Flow) {
        flow.isThrottled = true
        let tag = direction == .ingress ? TimerTag.ingressPause : TimerTag.egressPause
        _ = core.loop.schedule(after: time.clampedNanoseconds, token: token.with(tag: tag))
        route.observer?.paused(context, direction: direction, cause: .throttle)
    }

    func throttleEnded(_ direction: Direction) {
        if direction == .ingress { ingress.isThrottled = false } else { egress.isThrottled = false }
        // Time under a throttle is not silence.
        lastActivity = core.loop.now
        relay()
    }
}
