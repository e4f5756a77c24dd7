import Glibc
import LinuxIO
import Logging
import Threading
import WeirConfiguration
import WeirStream

/// Makes `preDial` hooks of the programs that routes name. The thread that runs them begins with the first one.
final class PreDialPrograms: Sendable {
    private struct State {
        var runner: ProgramRunner?
        var isStopped = false
        /// When a route last complained, in nanoseconds.
        var complaints: [String: UInt64] = [:]
    }

    private let state = Lock(State())
    private let logger: Logger
    /// The time, in nanoseconds, in which each route logs once that its program cannot be started.
    private static let complaintIntervalNanoseconds: UInt64 = 10_000_000_000
    private static let maxComplaints = 1024

    init(log: LogOutput) {
        logger = Logger(label: "weir") { _ in WeirLogHandler(log) }
    }

    /// The hook of a route. Exit code 0 lets the client pass; anything else, also a program that cannot be started,
    /// does not. How long it may take is the engine's to say, which cancels it.
    func hook(_ program: PreDialProgram, of route: RouteConfiguration) -> StreamHooks.PreDial {
        let runner: ProgramRunner
        do throws(SystemError) {
            runner = try startedRunner()
        } catch {
            logger.error(
                "programs before the dial cannot be run, so no client passes",
                metadata: ["route": "\(route.name)", "error": "\(error)"])
            return { _ in .reject(.hook) }
        }
        let (name, listen) = (route.name, route.listenText)
        return { [self] client in
            let request = ProgramRequest(
                route: name, command: program.command, environment: Self.environment(client, listen: listen),
                concurrency: program.concurrency)
            switch await runner.run(request) {
            case .ended(.exited(0)): return .dial
            case .ended, .canceled: return .reject(.hook)
            case .failed(let error):
                complain(program, route: name, error)
                return .reject(.hook)
            }
        }
    }

    /// Kills what runs and ends the thread.
    func stop() async {
        let runner = state.withLock { state in
            state.isStopped = true
            return state.runner
        }
        await runner?.stop()
    }

    private func startedRunner() throws(SystemError) -> ProgramRunner {
        let result = state.withLock { state -> Result<ProgramRunner, SystemError> in
            if let runner = state.runner { return .success(runner) }
            do throws(SystemError) {
                let runner = try ProgramRunner()
                try runner.start()
                state.runner = runner
                return .success(runner)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The whole environment of a program: the client, and the path in which programs are found.
    static func environment(_ client: DialRequest, listen: String) -> [String] {
        var variables = [
            "WEIR_ROUTE=\(client.route)", "WEIR_PROTOCOL=\(client.transport.rawValue)",
            "WEIR_CLIENT_IP=\(client.clientAddress.ip)", "WEIR_CLIENT_PORT=\(client.clientAddress.port)",
            "WEIR_PEER_IP=\(client.peerAddress.ip)", "WEIR_UPSTREAM=\(client.upstreams.first?.description ?? "")",
            "WEIR_UPSTREAMS=\(client.upstreams.map(\.description).joined(separator: " "))", "WEIR_LISTEN=\(listen)",
        ]
        if let path = unsafe getenv("PATH") { unsafe variables.append("PATH=" + String(cString: path)) }
        return variables
    }

    private func complain(_ program: PreDialProgram, route: String, _ error: SystemError) {
        let now = MonotonicClock.system.nanoseconds
        let isDue = state.withLock { state in
            if let last = state.complaints[route], now - last < Self.complaintIntervalNanoseconds { return false }
            // Routes come and go; what they said last does not have to be kept for ever.
            if state.complaints.count >= Self.maxComplaints { state.complaints = [:] }
            state.complaints[route] = now
            return true
        }
        guard isDue else { return }
        logger.error(
            "the program before the dial cannot be started",
            metadata: ["route": "\(route)", "program": "\(program.command.first ?? "")", "error": "\(error)"])
    }
}
