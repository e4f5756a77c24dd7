#if TLS
import Foundation
import LinuxIO
import NetworkTypes
import TestSupport
import WeirStream
import WeirTLS

/// Counts what sessions tell.
final class TLSRecorder: TLSObserver {
    let successes = Shared<[TLSSide]>([])
    let failures = Shared<[TLSFailure]>([])
    let truncations = Shared(0)

    func handshakeSucceeded(_ session: TLSSession, side: TLSSide, nanoseconds: UInt64, worker: Int) {
        successes.withLock { $0.append(side) }
    }

    func handshakeFailed(side: TLSSide, reason: TLSFailure, worker: Int) {
        failures.withLock { $0.append(reason) }
    }

    func truncated(side: TLSSide, worker: Int) { truncations.withLock { $0 += 1 } }
}

/// One end of a pair of connected sockets, with its session.
final class TLSEnd {
    let session: TLSSession
    let recorder: TLSRecorder
    private(set) var socket: Socket?
    private(set) var step = HandshakeStep.waiting
    private(set) var received: [UInt8] = []
    private(set) var isEnded = false
    private(set) var error: SystemError?
    private var outgoing: ArraySlice<UInt8> = []

    init(_ number: CInt, _ session: TLSSession, _ recorder: TLSRecorder) {
        socket = Socket(adopting: number, family: .ipv4)
        self.session = session
        self.recorder = recorder
    }

    /// A pair of connected, nonblocking sockets.
    static func pair() throws -> (CInt, CInt) {
        var numbers: [CInt] = [0, 0]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &numbers) == 0 else { throw SystemFailure("socketpair") }
        return (numbers[0], numbers[1])
    }

    func queue(_ bytes: [UInt8]) { outgoing += bytes }

    func close(withReset: Bool = false) { socket = nil }

    func finish() { session.finishWriting(on: socket!) }

    /// Does what it can.
    func turn() {
        guard socket != nil, error == nil else { return }
        if step != .done {
            switch step {
            case .waiting, .yielded: step = session.handshake(on: socket!)
            case .done, .doneUnlessRefused, .failed, .unused, .refused, .broken: return
            }
            return
        }
        if session.hasPendingOutput {
            error = session.flush(to: socket!)
        } else if !outgoing.isEmpty {
            switch outgoing.withUnsafeBytes({ session.send($0, to: socket!) }) {
            case .bytes(let count): outgoing = outgoing.dropFirst(count)
            case .wouldBlock: break
            case .failed(let error): self.error = error
            }
        }
        if isEnded { return }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        switch buffer.withUnsafeMutableBytes({ session.receive(into: $0, from: socket!) }) {
        case .bytes(let count): received += buffer[..<count]
        case .wouldBlock: break
        case .endOfStream: isEnded = true
        case .failed(let error): self.error = error
        }
    }
}

/// Both ends of a connection.
final class TLSRig {
    let server: TLSEnd
    let client: TLSEnd

    init(_ server: TLSServer, _ client: TLSClient, to host: String = "a.example.net") throws {
        let (serverNumber, clientNumber) = try TLSEnd.pair()
        let serverRecorder = TLSRecorder()
        let clientRecorder = TLSRecorder()
        self.server = TLSEnd(
            serverNumber, server.makeSession(worker: 0, observer: serverRecorder), serverRecorder)
        self.client = TLSEnd(
            clientNumber,
            client.makeSession(
                to: host, port: 443, worker: 0, observer: clientRecorder),
            clientRecorder)
    }

    func run(until what: String, _ condition: (TLSRig) -> Bool) throws {
        try waitUntil(what) {
            for _ in 0..<50 where !condition(self) {
                client.turn()
                server.turn()
            }
            return condition(self)
        }
    }

    func shake() throws {
        try run(until: "both have shaken hands") { $0.client.step == .done && $0.server.step == .done }
    }

    /// Runs until both handshakes have ended, well or not. With TLS 1.3 a client is done before its server has looked
    /// at the client's certificate.
    func end() throws {
        try run(until: "both handshakes have ended") { $0.client.hasEnded && $0.server.hasEnded }
    }

    /// Sends a byte and an answer, so that tickets arrive.
    func talk() throws {
        client.queue([1])
        server.queue([2])
        try run(until: "a byte each way") { $0.client.received.count == 1 && $0.server.received.count == 1 }
    }
}

extension TLSEnd {
    var hasEnded: Bool {
        switch step {
        case .waiting, .yielded: false
        case .done, .doneUnlessRefused, .failed, .unused, .refused, .broken: true
        }
    }
}
#endif
