public import LinuxIO
import NetworkTypes
import WeirStream
import WeirTLS

/// A request to an agent's HTTP API whether a destination takes connections (`GET /godoxy/agent/health`). Confined to
/// its thread; no call blocks.
public final class AgentAPIRequest {
    /// The outcome of steps.
    public enum Step: Sendable, Equatable {
        /// The next step needs an event of the socket.
        case waiting
        /// The agent has answered.
        case answered(isHealthy: Bool)
        /// There is no answer, or none that makes sense.
        case failed
    }

    private let tls: TLSSession
    private var output: ArraySlice<UInt8>
    private var input: [UInt8] = []
    private var isShaken = false

    private static let maxAnswerBytes = 16 << 10
    /// The bound on steps of the handshake that an agent may cause in a row.
    private static let maxStepsInARow = 4

    init(_ tls: TLSSession, target: String) {
        self.tls = tls
        let head =
            "GET \(target) HTTP/1.1\r\nHost: \(TunnelProtocol.serverName)\r\nConnection: close\r\n\r\n"
        output = Array(head.utf8)[...]
    }

    /// Performs steps as far as the socket allows.
    public func advance(on socket: borrowing Socket) -> Step {
        var steps = 0
        while !isShaken {
            // An agent that keeps the thread busy.
            if steps == Self.maxStepsInARow { return .failed }
            steps += 1
            switch tls.handshake(on: socket) {
            case .done, .doneUnlessRefused: isShaken = true
            case .waiting: return .waiting
            case .yielded: continue
            case .failed, .unused, .refused, .broken: return .failed
            }
        }
        if tls.hasPendingOutput, tls.flush(to: socket) != nil { return .failed }
        while !output.isEmpty {
            switch unsafe output.withUnsafeBytes({ unsafe tls.send($0, to: socket) }) {
            case .bytes(let count): output = output.dropFirst(count)
            case .wouldBlock: return .waiting
            case .failed: return .failed
            }
        }
        return receive(from: socket)
    }

    /// Receives the answer up to its end, which the agent makes because of `Connection: close`, or up to the bound.
    private func receive(from socket: borrowing Socket) -> Step {
        var chunk = [UInt8](repeating: 0, count: 2048)
        answer: while input.count < Self.maxAnswerBytes {
            switch unsafe chunk.withUnsafeMutableBytes({ unsafe tls.receive(into: $0, from: socket) }) {
            case .bytes(let count): input += chunk[..<count]
            case .wouldBlock: return .waiting
            case .endOfStream, .failed: break answer
            }
        }
        return verdict
    }

    /// The outcome of the whole answer, by its status and its one important member.
    private var verdict: Step {
        let text = String(decoding: input, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.1 ") else { return .failed }
        guard text.hasPrefix("HTTP/1.1 200 ") else { return .answered(isHealthy: false) }
        let body = input.filter { $0 != UInt8(ascii: " ") }
        if Self.contains(body, "\"healthy\":true") { return .answered(isHealthy: true) }
        return Self.contains(body, "\"healthy\":false") ? .answered(isHealthy: false) : .failed
    }

    private static func contains(_ bytes: [UInt8], _ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return bytes.count >= wanted.count
            && (0...(bytes.count - wanted.count)).contains { bytes[$0..<($0 + wanted.count)].elementsEqual(wanted) }
    }

    /// Ends the connection.
    public func finish(on socket: borrowing Socket) { tls.finishWriting(on: socket) }
}

extension AgentClient {
    /// Creates a request whether a destination takes connections, for which the agent has the given time.
    public func makeHealthRequest(of destination: AgentDestination, timeout: Duration) -> AgentAPIRequest {
        // With a port the host may have no colon in it there, so an IPv6 address is in the host.
        let isIPv6 = if case .address(let address) = destination.host { !address.ip.isIPv4 } else { false }
        let place =
            isIPv6
            ? "host=%5B\(Self.escaped(destination.host.description))%5D%3A\(destination.port)"
            : "host=\(Self.escaped(destination.host.description))&port=\(destination.port)"
        let milliseconds = timeout.clampedNanoseconds / 1_000_000
        return AgentAPIRequest(
            makeAPISession(), target: "/godoxy/agent/health?scheme=tcp&\(place)&timeout=\(milliseconds)")
    }

    /// A text in a query (RFC 3986 section 2.1).
    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII, scalar.properties.isAlphabetic || "0123456789-._~".unicodeScalars.contains(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
