import LinuxIO

extension TCPConnection {
    enum PassOutcome {
        case moved(Int)
        case sinkIsFull
        case closedByHook(discarded: Int)
    }

    /// Moves bytes while nothing can be kept for anybody: looks at them, sends what the sink takes, and only that much
    /// leaves the source's socket. A call more for each read, and no memory.
    func passWithoutKeeping(
        _ direction: Direction, _ source: inout Side, _ sink: inout Side, _ flow: inout Flow
    ) -> PassOutcome {
        guard sink.isWritable else { return .sinkIsFull }
        let before = Int(flow.announced)
        let limit = max(before, min(WorkerCore.readBufferSize, max(1, route.hooks.largestRead ?? .max)))
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: core.readBuffer[..<limit])
        switch unsafe source.receiveCopy(into: buffer) {
        case .bytes(let count):
            let new = count - before
            if new > 0 {
                if flow.byteCount == 0 { firstBytes(direction, &source, withEnd: false) }
                flow.byteCount += UInt64(new)
                lastActivity = core.loop.now
                guard mayPass(new, direction, &flow) else { return .closedByHook(discarded: new) }
                flow.announced = Int32(count)
            }
            switch unsafe sink.send(UnsafeRawBufferPointer(rebasing: buffer[..<count]), more: false) {
            case .bytes(let sent):
                source.discard(sent)
                flow.announced = Int32(count - sent)
                lastActivity = core.loop.now
                if sent == count { return .moved(count) }
            case .wouldBlock: break
            case .failed(let error): broke(&sink, isClient: direction == .egress, error)
            }
            sink.isWritable = false
            if new > 0, !sink.isBroken {
                route.observer?.paused(context, direction: direction, cause: .backpressure)
            }
            return .sinkIsFull
        case .wouldBlock:
            source.isReadable = false
        case .endOfStream:
            ended(direction, &source, &flow)
        case .failed(let error):
            flow.isSourceAtEnd = true
            source.isReadable = false
            broke(&source, isClient: direction == .ingress, error)
        }
        return .moved(0)
    }
}
