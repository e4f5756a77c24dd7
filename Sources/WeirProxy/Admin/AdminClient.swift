import Glibc
public import LinuxIO
public import NetworkTypes

/// Asks a running process at its admin socket. Blocks.
public struct AdminClient: Sendable {
    /// Why there is no answer.
    public enum Failure: Error, Sendable, CustomStringConvertible {
        /// The file names no admin socket.
        case notConfigured(String)
        /// The socket cannot be reached.
        case connection(UnixSocketPath, SystemError)
        /// The process says no, and why.
        case refused(String)
        /// The process ended the connection without an answer.
        case noAnswer

        /// The message.
        public var description: String {
            switch self {
            case .notConfigured(let path):
                "\(path) has no admin socket: add `admin: { listen: unix:/run/weir/admin.sock }` and restart, or name "
                    + "one with --socket"
            case .connection(let path, let error) where error.code == ENOENT:
                "there is no socket at \(path.path): no Weir with this `admin.listen` runs here"
            case .connection(let path, let error) where error.code == ECONNREFUSED:
                "no process listens at \(path.path)"
            case .connection(let path, let error) where error.code == EACCES || error.code == EPERM:
                "this user may not use \(path.path): ask as the user of the process, or as root"
            case .connection(let path, let error) where error.code == EAGAIN:
                "\(path.path) is busy with other commands: try again"
            case .connection(let path, let error): "\(path.path): \(error)"
            case .refused(let problem): problem
            case .noAnswer: "the process ended before it answered"
            }
        }
    }

    private let path: UnixSocketPath
    private static let timeout = Duration.seconds(40)
    private static let maxBytes = 64 << 20

    /// A client for the socket at this path.
    public init(socket path: UnixSocketPath) {
        self.path = path
    }

    /// A client for the socket at a path, with `unix:` in front or without; nil where that is no path of a socket.
    public init?(path text: String) {
        let isPrefixed = text.hasPrefix(UnixSocketPath.prefix)
        guard let path = UnixSocketPath(isPrefixed ? String(text.dropFirst(UnixSocketPath.prefix.count)) : text) else {
            return nil
        }
        self.path = path
    }

    /// The body of the answer to a question.
    public func get(_ target: String, _ parameters: [String: String] = [:]) throws(Failure) -> String {
        try ask("GET", AdminRequest(method: .get, path: target, parameters: parameters))
    }

    /// The body of the answer to a command.
    public func post(_ target: String, _ parameters: [String: String] = [:]) throws(Failure) -> String {
        try ask("POST", AdminRequest(method: .post, path: target, parameters: parameters))
    }

    private func ask(_ method: String, _ request: AdminRequest) throws(Failure) -> String {
        let bytes: [UInt8]
        do throws(SystemError) {
            let connection = try BlockingSocket.connect(to: path, timeout: Self.timeout)
            try connection.send(Array("\(method) \(request.target) HTTP/1.1\r\nHost: weir\r\n\r\n".utf8))
            bytes = try connection.receiveToEnd(limit: Self.maxBytes)
        } catch {
            throw .connection(path, error)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstPlace(ofText: "\r\n\r\n") else { throw .noAnswer }
        let body = String(text[end.upperBound...])
        if text.hasPrefix("HTTP/1.1 200 ") { return body }
        throw .refused(Self.problem(in: body))
    }

    /// The text of `{"error":"…"}`.
    private static func problem(in body: String) -> String {
        guard let begin = body.firstPlace(ofText: "\"error\":\"") else { return body }
        var text = ""
        var isEscaped = false
        for scalar in body[begin.upperBound...].unicodeScalars {
            if isEscaped {
                text.unicodeScalars.append(scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "\"" {
                break
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
