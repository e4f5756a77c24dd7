import Glibc
public import LinuxIO

/// Asks the running process to read its configuration again: the work of `weir reload`.
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
        guard let name = ControlSocket.name(ofConfiguration: path) else { throw .noName(path) }
        let text: String
        do throws(SystemError) {
            let socket = try Socket(.stream, family: .unix)
            try socket.connect(toAbstractName: name)
            // A name is free for any process: what another user's process says is not believed.
            if geteuid() != 0, !ControlSocket.isTrusted(try socket.peerUser()) { throw SystemError(.connect, EACCES) }
            text = String(decoding: try Self.ask(BlockingSocket(socket, timeout: timeout)), as: UTF8.self)
        } catch {
            throw .connection(path, error)
        }
        return try parse(text)
    }

    /// Sends the request and reads the answer. A process that denies it answers without reading, and closes: the
    /// request then fails, or its end is a reset, and the answer is there all the same.
    private static func ask(_ connection: borrowing BlockingSocket) throws(SystemError) -> [UInt8] {
        var answer: [UInt8] = []
        do throws(SystemError) {
            try connection.send(Array("\(ControlSocket.request)\n".utf8))
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

    private func parse(_ text: String) throws(Failure) -> ReloadOutcome {
        let lines = text.split(separator: "\n").map(String.init)
        switch lines.first.flatMap({ ControlSocket.Answer(rawValue: $0) }) {
        case .taken: return ReloadOutcome(warnings: Array(lines.dropFirst()))
        case .refused: return ReloadOutcome(problems: Array(lines.dropFirst()))
        case .denied: throw .denied(path)
        case nil: throw .noAnswer
        }
    }
}
