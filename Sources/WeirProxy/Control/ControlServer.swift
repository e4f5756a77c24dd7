public import LinuxIO

/// Answers `weir reload` and `weir health` on a thread of its own, one client after the other.
public final class ControlServer: ClientServer, Sendable {
    private let thread: ClientThread
    private let exporter: @Sendable () -> ExporterEndpoints
    private let reload: @Sendable () async -> ReloadOutcome

    private static let backlog = 16
    private static let requestTime = Duration.seconds(5)
    private static let turn = Duration.seconds(1)

    /// Listens for the configuration at `path`; clients wait until ``start()``. Nil for a path that no other process
    /// can name, such as `/dev/stdin`. `exporter` tells the addresses of the exporter, on this thread.
    /// - Throws: EADDRINUSE where another process runs with the same configuration.
    public init?(
        configuration path: String, exporter: @escaping @Sendable () -> ExporterEndpoints,
        reload: @escaping @Sendable () async -> ReloadOutcome
    ) throws(SystemError) {
        guard let name = ControlSocket.name(ofConfiguration: path) else { return nil }
        self.reload = reload
        self.exporter = exporter
        let socket = try Socket(.stream, family: .unix)
        try socket.bind(abstractName: name)
        try socket.listen(backlog: Self.backlog)
        thread = ClientThread(socket, turn: Self.turn)
    }

    /// Starts the thread.
    public func start() throws(SystemError) {
        try thread.start(name: "weir-control", self)
    }

    /// Lets the thread end, within a second where no reload is under way.
    public func stop() {
        thread.stop()
    }

    func serve(_ client: consuming Socket) {
        do throws(SystemError) {
            let isTrusted = ControlSocket.isTrusted(try client.peerUser())
            let connection = BlockingSocket(client, timeout: Self.requestTime)
            guard isTrusted else { return try Self.send(.denied, [], to: connection) }
            switch try Self.readRequest(connection).flatMap(ControlSocket.Request.init(rawValue:)) {
            case .reload:
                let outcome = perform()
                try Self.send(
                    outcome.problems.isEmpty ? .taken : .refused,
                    outcome.problems.isEmpty ? outcome.warnings : outcome.problems, to: connection)
            case .exporter: try Self.send(.listening, exporter().texts, to: connection)
            case nil: return
            }
        } catch {
            // The client has gone; the log has the outcome, too.
        }
    }

    private static func readRequest(_ connection: BlockingSocket) throws(SystemError) -> String? {
        var bytes: [UInt8] = []
        while bytes.count <= ControlSocket.maxRequestBytes {
            let more = try connection.receive(atMost: ControlSocket.maxRequestBytes)
            if more.isEmpty { return nil }
            bytes += more
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
        }
        return nil
    }

    private static func send(
        _ answer: ControlSocket.Answer, _ lines: [String], to connection: BlockingSocket
    ) throws(SystemError) {
        let lines = [answer.rawValue] + lines.prefix(ControlSocket.maxLines).map(oneLine)
        try connection.send(Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    private static func oneLine(_ text: String) -> String { String(text.map { $0.isNewline ? " " : $0 }) }

    /// Reloads, and waits for the end of that.
    private func perform() -> ReloadOutcome {
        let pending: PendingResult<ReloadOutcome>
        do throws(SystemError) {
            pending = try PendingResult()
        } catch {
            return ReloadOutcome(problems: ["\(error)"])
        }
        Task { [reload] in pending.end(await reload()) }
        while true {
            if let outcome = pending.wait(within: Self.turn) { return outcome }
            if thread.isStopped { return ReloadOutcome(problems: ["the process ends"]) }
        }
    }
}
