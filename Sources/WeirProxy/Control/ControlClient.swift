import Glibc
public import LinuxIO

/// Asks the running process to read its configuration again, for `weir reload`, or where its exporter listens, for
/// `weir health`.
public struct ControlClient: Sendable {
    /// The reason why there is no outcome.
    public enum Failure: Error, Sendable, CustomStringConvertible {
        /// No process runs with this configuration, or the connection broke.
        case connection(String, SystemError)
        /// The process belongs to another user.
        case denied(String)
        /// The process ended before it answered.
        case noAnswer
        /// The path is another file in each process.
        case noName(String)

        /// The message.
        public var description: String {
            switch self {
            case .connection(let path, let error) where error.code == ECONNREFUSED:
                "no Weir runs with the configuration \(path) here"
            case .connection(let path, let error) where error.code == EACCES: Failure.denied(path).description
            case .connection(_, let error) where error.code == ETIMEDOUT: "the process does not answer: \(error)"
            case .connection(_, let error): "the process cannot be asked: \(error)"
            case .denied(let path): "the Weir of \(path) belongs to another user: ask as that user, or as root"
            case .noAnswer: "the process ended before it answered"
            case .noName(let path): "\(path) is another file in each process: send SIGHUP instead"
            }
        }
    }

    private let path: String
    private let timeout: Duration

    /// A client for the process that runs with the configuration at `path`, which waits for its answer at most this
    /// long.
    public init(configuration path: String, timeout: Duration = .seconds(60)) {
        self.path = path
        self.timeout = timeout
    }

    /// Asks, and waits for the end of the reload. Blocks.
    public func reload() throws(Failure) -> ReloadOutcome {
        let (answer, lines) = try ask(.reload)
        switch answer {
        case .taken: return ReloadOutcome(warnings: lines)
        case .refused: return ReloadOutcome(problems: lines)
        case .denied, .listening: throw .denied(path)
        }
    }

    /// The places at which the exporter of the process is asked. Its listeners stay for its life, also where the file
    /// has changed since. Blocks.
    public func exporter() throws(Failure) -> ExporterEndpoints {
        let (answer, lines) = try ask(.exporter)
        guard answer == .listening else { throw .denied(path) }
        return ExporterEndpoints(texts: lines)
    }

    private func ask(_ request: ControlSocket.Request) throws(Failure) -> (ControlSocket.Answer, [String]) {
        guard let name = ControlSocket.name(ofConfiguration: path) else { throw .noName(path) }
        let text: String
        do throws(SystemError) {
            let socket = try Socket(.stream, family: .unix)
            try socket.connect(toAbstractName: name)
            // A name is free for any process: what another user's process says is not believed.
            if geteuid() != 0, !ControlSocket.isTrusted(try socket.peerUser()) { throw SystemError(.connect, EACCES) }
            text = String(decoding: try Self.send(request, BlockingSocket(socket, timeout: timeout)), as: UTF8.self)
        } catch {
            throw .connection(path, error)
        }
        let lines = text.split(separator: "\n").map(String.init)
        // A process of an older version knows no other request than that to reload, and says nothing.
        guard let answer = lines.first.flatMap({ ControlSocket.Answer(rawValue: $0) }) else { throw .noAnswer }
        return (answer, Array(lines.dropFirst()))
    }

    /// Sends the request and reads the answer. A process that denies it answers without reading, and closes: the
    /// request then fails, or its end is a reset, and the answer is there all the same.
    private static func send(
        _ request: ControlSocket.Request, _ connection: borrowing BlockingSocket
    ) throws(SystemError) -> [UInt8] {
        var answer: [UInt8] = []
        do throws(SystemError) {
            try connection.send(Array("\(request.rawValue)\n".utf8))
        } catch  where error.code == EPIPE || error.code == ECONNRESET {
            // Its answer follows.
        }
        do throws(SystemError) {
            while answer.count < ControlSocket.maxAnswerBytes {
                let more = try connection.receive(atMost: ControlSocket.maxAnswerBytes)
                if more.isEmpty { break }
                answer += more
            }
        } catch  where error.code == ECONNRESET && !answer.isEmpty {
            return answer
        }
        return answer
    }
}
