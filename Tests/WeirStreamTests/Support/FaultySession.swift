import Glibc
import LinuxIO
import TestSupport

@testable import WeirStream

/// A session that passes bytes as they are, by a seeded schedule of short reads, short writes, would-block, turns
/// without a byte, output that waits, and breaks. It counts what it gave and took.
final class FaultySession: SecureSession {
    let traits: ChannelTraits
    private var generator: SeededGenerator
    /// One call in so many breaks; 0 is never.
    private let breaksOnceIn: Int
    private var pending: ArraySlice<UInt8> = []
    private var isFinishing = false
    private var failure: SystemError?
    /// Bytes that it gave to the relay.
    private(set) var readCount = 0
    /// Bytes that it took from the relay.
    private(set) var takenCount = 0
    /// Whether it said would-block where the socket did not: the rig must call again without an event.
    var owesEvent = false

    init(seed: UInt64, breaksOnceIn: Int, traits: ChannelTraits) {
        generator = SeededGenerator(seed: seed)
        self.breaksOnceIn = breaksOnceIn
        self.traits = traits
    }

    func handshake(on socket: borrowing Socket) -> HandshakeStep { .done }

    private func chance(_ oneIn: Int) -> Bool { oneIn > 0 && Int.random(in: 0..<oneIn, using: &generator) == 0 }

    /// The break of this session, from the call on in which it came.
    private func breaks(_ operation: SystemError.Operation) -> SystemError? {
        if failure == nil, chance(breaksOnceIn) { failure = SystemError(operation, ECONNRESET) }
        return failure
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        if let error = breaks(.receive) { return .failed(error) }
        if chance(5) {
            owesEvent = true
            return .wouldBlock
        }
        if chance(7) { return .bytes(0) }
        let limit = chance(3) ? Int.random(in: 1...min(buffer.count, 700), using: &generator) : buffer.count
        let result = socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<limit]))
        if case .bytes(let count) = result { readCount += count }
        return result
    }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        if let error = breaks(.send) { return .failed(error) }
        if chance(5) || hasPendingOutput {
            owesEvent = true
            return .wouldBlock
        }
        let limit = chance(3) ? Int.random(in: 1...min(bytes.count, 900), using: &generator) : bytes.count
        let part = UnsafeRawBufferPointer(rebasing: bytes[..<limit])
        if chance(4) {
            // Taken, and kept for a later flush.
            pending = ArraySlice(part)
            owesEvent = true
            takenCount += limit
            return .bytes(limit)
        }
        let result = socket.send(part)
        if case .bytes(let count) = result { takenCount += count }
        return result
    }

    func finishWriting(on socket: borrowing Socket) {
        isFinishing = true
        owesEvent = true
    }

    var hasPendingOutput: Bool { !pending.isEmpty || isFinishing }

    func flush(to socket: borrowing Socket) -> SystemError? {
        if let error = breaks(.send) { return error }
        while !pending.isEmpty {
            if chance(4) {
                owesEvent = true
                return nil
            }
            switch pending.withUnsafeBytes({ socket.send($0) }) {
            case .bytes(let count): pending = pending.dropFirst(count)
            case .wouldBlock: return nil
            case .failed(let error):
                failure = error
                return error
            }
        }
        if isFinishing {
            isFinishing = false
            try? socket.shutdownWriting()
        }
        return nil
    }
}
