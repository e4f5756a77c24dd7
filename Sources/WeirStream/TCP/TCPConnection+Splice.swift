import Glibc
import LinuxIO

extension TCPConnection {
    enum SpliceOutcome {
        /// So many bytes left the source; 0 where it has none now, or no more at all.
        case moved(Int)
        case closedByHook(discarded: Int)
        /// The kernel does not splice this source.
        case notPossible
    }

    /// Moves one piece of a bulk transfer through a pipe, which is empty. The flow keeps the pipe while the sink has not
    /// taken everything, else it goes back.
    func splice(
        through pipe: Pipe, _ direction: Direction, _ source: inout Side, _ sink: inout Side, _ flow: inout Flow
    ) -> SpliceOutcome {
        switch source.fill(pipe, limit: spliceLimit) {
        case .bytes(let count):
            if flow.byteCount == 0 { firstBytes(direction, &source, withEnd: false) }
            flow.byteCount += UInt64(count)
            lastActivity = core.loop.now
            flow.pace.notePiece(count)
            guard mayPass(count, direction, &flow) else {
                core.pipes.give(pipe)
                return .closedByHook(discarded: count)
            }
            flow.pipe = pipe
            if !drain(pipe, direction, &sink, &flow), !sink.isBroken {
                route.observer?.paused(context, direction: direction, cause: .backpressure)
            }
            return .moved(count)
        case .wouldBlock:
            source.isReadable = false
        case .endOfStream:
            // Or urgent data with the end behind it: a read can tell.
            flow.pace.forbidBulk()
        case .failed(let error) where error.code == EINVAL:
            core.pipes.give(pipe)
            return .notPossible
        case .failed(let error):
            flow.isSourceAtEnd = true
            source.isReadable = false
            broke(&source, isClient: direction == .ingress, error)
        }
        core.pipes.give(pipe)
        return .moved(0)
    }

    /// A limiting hook bounds a splice like a read.
    private var spliceLimit: Int { max(1, min(PipePool.pipeSize, route.hooks.largestRead ?? .max)) }

    /// Writes what the pipe holds. Returns whether all is gone; the pipe then is, too.
    func drain(_ pipe: Pipe, _ direction: Direction, _ sink: inout Side, _ flow: inout Flow) -> Bool {
        guard sink.isWritable, !sink.isBroken else { return false }
        while pipe.count > 0 {
            switch sink.drain(pipe) {
            case .bytes(let count):
                lastActivity = core.loop.now
                // Pages that are not full count as full ones for the socket: a short write is no proof of a full one.
                if count == 0 { return keepCopied(pipe, direction, &sink, &flow) }
            case .wouldBlock:
                sink.isWritable = false
                return false
            case .failed(let error) where error.code == EINVAL:
                return keepCopied(pipe, direction, &sink, &flow)
            case .failed(let error):
                sink.isWritable = false
                broke(&sink, isClient: direction == .egress, error)
                return false
            }
        }
        flow.pipe = nil
        core.pipes.give(pipe)
        return true
    }

    /// The kernel does not splice into this sink: from here on its bytes are copied, beginning with those in the pipe.
    /// False: they are still to be written.
    private func keepCopied(
        _ pipe: Pipe, _ direction: Direction, _ sink: inout Side, _ flow: inout Flow
    ) -> Bool {
        flow.pace.forbidBulk()
        do throws(SystemError) {
            while pipe.count > 0 {
                guard core.slabs.availableBytes >= WorkerCore.readBufferSize else {
                    throw SystemError(.splice, ENOBUFS)
                }
                let count = try unsafe pipe.read(into: core.readBuffer)
                unsafe core.slabs.append(
                    UnsafeRawBufferPointer(rebasing: core.readBuffer[..<count]), to: &flow.backlog)
            }
            flow.pipe = nil
            core.pipes.give(pipe)
        } catch {
            broke(&sink, isClient: direction == .egress, error)
        }
        core.loop.defer(token.with(tag: Self.clientTag))
        return false
    }
}
