import LinuxIO

/// The exchange of an ``UpstreamPreface`` with a connected upstream.
struct PrefaceExchange {
    private let preface: UpstreamPreface
    private var sentCount = 0
    private var receivedCount = 0

    init(_ preface: UpstreamPreface) {
        self.preface = preface
    }

    /// Sends and receives as far as the socket allows. It reads nothing behind the answer.
    mutating func step(on socket: borrowing Socket) -> HandshakeStep {
        while sentCount < preface.request.count {
            let rest = preface.request[sentCount...]
            switch unsafe rest.withUnsafeBytes({ unsafe socket.send($0) }) {
            case .bytes(let count): sentCount += count
            case .wouldBlock: return .waiting
            case .failed(let error): return .broken(error)
            }
        }
        // Answers are a byte or two.
        while receivedCount < preface.answer.count {
            var byte: UInt8 = 0
            switch unsafe withUnsafeMutableBytes(of: &byte, { unsafe socket.receive(into: $0) }) {
            case .bytes:
                guard byte == preface.answer[receivedCount] else { return .failed }
                receivedCount += 1
            case .wouldBlock: return .waiting
            case .endOfStream: return .failed
            case .failed(let error): return .broken(error)
            }
        }
        return .done
    }
}
