import LinuxIO
import NetworkTypes
import Threading

/// Serves the admin socket on a thread of its own, one client after the other: HTTP over a Unix socket, whose file has
/// the permissions. Requests are bounded in bytes and time, and answers wait for what they ask.
final class AdminServer: ClientServer {
    /// Answers a request of a process of this user.
    typealias Handler = @Sendable (AdminRequest, _ user: UInt32) async -> AdminAnswer

    private let thread: ClientThread
    private let file: UnixSocketFile
    private let handler: Handler
    private let count: @Sendable (AdminAnswer.Code) -> Void

    private static let backlog = 16
    private static let requestTime = Duration.seconds(5)
    private static let answerTime = Duration.seconds(30)
    private static let turn = Duration.milliseconds(500)

    /// Listens at the path; `count` hears of each answer.
    init(
        _ path: UnixSocketPath, mode: UInt32, count: @escaping @Sendable (AdminAnswer.Code) -> Void,
        handler: @escaping Handler
    ) throws(UnixSocketFile.Failure) {
        self.handler = handler
        self.count = count
        let made = try Self.makeSocket()
        file = try UnixSocketFile.listen(made, at: path, mode: mode, backlog: Self.backlog)
        thread = ClientThread(made, turn: Self.turn)
    }

    private static func makeSocket() throws(UnixSocketFile.Failure) -> Socket {
        do throws(SystemError) {
            return try Socket(.stream, family: .unix)
        } catch {
            throw .system(error)
        }
    }

    /// Starts the thread.
    func start() throws(SystemError) {
        try thread.start(name: "weir-admin", self)
    }

    /// Removes the file, and lets the thread end, within half a second where no request is under way.
    func stop() {
        if thread.stop() { file.remove() }
    }

    func serve(_ client: consuming Socket) {
        do throws(SystemError) {
            let user = try client.peerUser()
            let connection = BlockingSocket(client, timeout: Self.requestTime)
            let answer: AdminAnswer
            switch try Self.read(connection) {
            case .success(let request): answer = perform(request, user)
            case .failure(.incomplete): return
            case .failure(.malformed): answer = AdminAnswer(.badRequest, error: "this is no request of HTTP/1.1")
            case .failure(.tooLong): answer = AdminAnswer(.headersTooLarge, error: "the request is too long")
            case .failure(.method): answer = AdminAnswer(.methodNotAllowed, error: "only GET and POST are taken")
            }
            count(answer.code)
            try connection.send(Self.bytes(of: answer))
            try connection.finishWriting()
            // A reset would take the answer away from a client that has sent more than was read.
            let end = MonotonicClock.system.nanoseconds + Self.requestTime.clampedNanoseconds
            while MonotonicClock.system.nanoseconds < end, try !connection.receive().isEmpty {}
        } catch {
            // The client has gone; what was changed is in the log.
        }
    }

    private static func read(
        _ connection: BlockingSocket
    ) throws(SystemError) -> Result<AdminRequest, AdminRequest.Problem> {
        var bytes: [UInt8] = []
        // A client that sends now and then a byte has no more time than others, but for one wait.
        let end = MonotonicClock.system.nanoseconds + requestTime.clampedNanoseconds
        while true {
            guard MonotonicClock.system.nanoseconds < end else { return .failure(.incomplete) }
            let more = try connection.receive(atMost: AdminRequest.maxBytes)
            bytes += more
            do throws(AdminRequest.Problem) {
                return .success(try AdminRequest(bytes))
            } catch {
                if error != .incomplete || more.isEmpty { return .failure(error) }
            }
        }
    }

    /// Has the request answered by a task, and waits for that.
    private func perform(_ request: AdminRequest, _ user: UInt32) -> AdminAnswer {
        let pending: PendingResult<AdminAnswer>
        do throws(SystemError) {
            pending = try PendingResult()
        } catch {
            return AdminAnswer(.unavailable, error: "\(error)")
        }
        let task = Task { [handler] in pending.end(await handler(request, user)) }
        if let answer = pending.wait(within: Self.answerTime) { return answer }
        task.cancel()
        return AdminAnswer(.unavailable, error: "there is no answer within 30 s: something else is under way")
    }

    private static func bytes(of answer: AdminAnswer) -> [UInt8] {
        let head =
            "HTTP/1.1 \(answer.code.rawValue) \(answer.code)\r\nContent-Type: application/json\r\nContent-Length: "
            + "\(answer.body.count)\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        return Array(head.utf8) + answer.body
    }
}
