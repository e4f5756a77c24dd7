import LinuxIO

@testable import WeirStream

/// A session that is no secret, and has what a real one has: a handshake in both directions, records, an end of its
/// own, and output that waits for the socket. Its wire is: `toy` and a key byte from either side, then records of two
/// bytes of length and the payload, exclusive-ored with key and position; a record without payload is the end.
final class ToyCipher: SecureSession {
    let traits: ChannelTraits
    private let ownKey: UInt8
    private var peerKey: UInt8?
    private var hasSentHello = false
    private var input: [UInt8] = []
    private var plaintext: ArraySlice<UInt8> = []
    private var output: ArraySlice<UInt8> = []
    private var sentCount = 0
    private var receivedCount = 0
    private var sawEnd = false
    /// Whether the peer's stream ended without its end record.
    private(set) var isTruncated = false

    private static let hello = Array("toy".utf8)
    private static let maxPayload = 5_000

    init(key: UInt8, traits: ChannelTraits = [.reportsUnacknowledged]) {
        ownKey = key
        self.traits = traits
    }

    // MARK: Handshake

    func handshake(on socket: borrowing Socket) -> HandshakeStep {
        if !hasSentHello {
            hasSentHello = true
            output += Self.hello + [ownKey]
        }
        if let error = flush(to: socket) { return .broken(error) }
        if peerKey == nil {
            switch fill(from: socket) {
            case .failed(let error): return .broken(error)
            case .endOfStream: return .failed
            case .bytes, .wouldBlock: break
            }
            let length = Self.hello.count
            guard input.prefix(length).elementsEqual(Self.hello.prefix(input.count)) else { return .failed }
            guard input.count > length else { return .waiting }
            peerKey = input[length]
            input.removeFirst(length + 1)
        }
        return hasPendingOutput ? .waiting : .done
    }

    // MARK: Reading

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        if plaintext.isEmpty {
            if sawEnd { return .endOfStream }
            if !decryptRecord() {
                switch fill(from: socket) {
                case .wouldBlock: return .wouldBlock
                case .failed(let error): return .failed(error)
                case .endOfStream:
                    isTruncated = true
                    sawEnd = true
                    return .endOfStream
                // Work without a byte of plaintext: another turn goes on.
                case .bytes: return .bytes(0)
                }
            }
            if sawEnd { return .endOfStream }
        }
        let count = min(buffer.count, plaintext.count)
        buffer.copyBytes(from: plaintext.prefix(count))
        plaintext = plaintext.dropFirst(count)
        return .bytes(count)
    }

    private func fill(from socket: borrowing Socket) -> ReadResult {
        var bytes = [UInt8](repeating: 0, count: 8_192)
        let result = bytes.withUnsafeMutableBytes { socket.receive(into: $0) }
        if case .bytes(let count) = result { input += bytes.prefix(count) }
        return result
    }

    private func decryptRecord() -> Bool {
        guard let peerKey, input.count >= 2 else { return false }
        let length = Int(input[0]) << 8 | Int(input[1])
        guard input.count >= 2 + length else { return false }
        if length == 0 { sawEnd = true }
        plaintext = ArraySlice(
            input[2..<2 + length].enumerated().map { offset, byte in
                byte ^ peerKey ^ UInt8(truncatingIfNeeded: receivedCount + offset)
            })
        receivedCount += length
        input.removeFirst(2 + length)
        return true
    }

    // MARK: Writing

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult {
        if let error = flush(to: socket) { return .failed(error) }
        if hasPendingOutput { return .wouldBlock }
        let payload = bytes.prefix(Self.maxPayload)
        output += [UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
        output += payload.enumerated().map { $1 ^ ownKey ^ UInt8(truncatingIfNeeded: sentCount + $0) }
        sentCount += payload.count
        if let error = flush(to: socket) { return .failed(error) }
        return .bytes(payload.count)
    }

    func finishWriting(on socket: borrowing Socket) {
        output += [0, 0]
        // A break is told by the next read.
        _ = flush(to: socket)
    }

    var hasPendingOutput: Bool { !output.isEmpty }

    func flush(to socket: borrowing Socket) -> SystemError? {
        while !output.isEmpty {
            switch output.withUnsafeBytes({ socket.send($0) }) {
            case .bytes(let count): output = output.dropFirst(count)
            case .wouldBlock: return nil
            case .failed(let error): return error
            }
        }
        return nil
    }
}
