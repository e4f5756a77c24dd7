public import LinuxIO
import Synchronization
import Threading

/// Answers `weir reload` and `weir health` on a thread of its own, one client after the other.
public final class ControlServer: Sendable {
    private let socket: Socket
    private let exporter: @Sendable () -> ExporterEndpoints
    private let reload: @Sendable () async -> ReloadOutcome
    private let isStopped = Atomic<Bool>(false)

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
        self.socket = socket
    }

    /// Starts the thread.
    public func start() throws(SystemError) {
        try Thread.start(name: "weir-control") { [self] in run() }
    }

    /// Lets the thread end, within a second where no reload is under way.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
    }

    private func run() {
        while !isStopped.load(ordering: .relaxed) {
            guard Poll.wait(for: .readable, on: socket.number, within: Self.turn) else { continue }
            switch socket.accept() {
            case .accepted(let peer, _): serve(peer)
            case .wouldBlock: continue
            // No descriptors, for example: the client waits meanwhile.
            case .failed: Poll.pause(Self.turn)
            }
        }
    }

    private func serve(_ peer: consuming Socket) {
        do throws(SystemError) {
            let isTrusted = ControlSocket.isTrusted(try peer.peerUser())
            let connection = BlockingSocket(peer, timeout: Self.requestTime)
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
        let pending: PendingOutcome
        do throws(SystemError) {
            pending = try PendingOutcome()
        } catch {
            return ReloadOutcome(problems: ["\(error)"])
        }
        Task { [reload] in pending.end(await reload()) }
        while true {
            if let outcome = pending.wait(within: Self.turn) { return outcome }
            if isStopped.load(ordering: .relaxed) { return ReloadOutcome(problems: ["the process ends"]) }
        }
    }
}

/// Carries the outcome of a reload from its task to the thread that waits for it.
private final class PendingOutcome: Sendable {
    private let outcome = Lock<ReloadOutcome?>(nil)
    private let signal: EventSignal

    init() throws(SystemError) {
        signal = try EventSignal()
    }

    func end(_ outcome: ReloadOutcome) {
        self.outcome.withLock { $0 = outcome }
        signal.signal()
    }

    func wait(within limit: Duration) -> ReloadOutcome? {
        signal.wait(within: limit)
        return outcome.withLock { $0 }
    }
}
