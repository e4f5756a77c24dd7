import LinuxIO
import Logging
import Synchronization
import WeirAccess
import WeirConfiguration
import WeirStream

/// The log of decisions: a file of its own with its own thread, or the log of the process.
final class AccessLog: Sendable {
    /// The thread that writes the lines.
    let output: LogOutput
    /// Whether clients that pass are logged too.
    let logsAllowed: Bool
    /// The file; nil for the log of the process.
    let file: LogFile?

    /// Opens the file, or takes over that of `previous` where it is the same.
    init(
        _ configuration: AccessConfiguration.Log, components: ProxyComponents, previous: AccessLog?
    ) throws(ProxyError) {
        logsAllowed = configuration.logAllowed
        guard let path = configuration.path else {
            output = components.log
            file = nil
            return
        }
        if let previous, let opened = previous.file, opened.path == path {
            output = previous.output
            file = opened
            return
        }
        do throws(SystemError) {
            let opened = try LogFile(path)
            output = try LogOutput(file: opened, shardCount: components.engine.workerCount, beside: components.log)
            file = opened
        } catch {
            throw .accessLog(path, error)
        }
    }
}

/// A route's way into the access log.
final class AccessRouteLog: Sendable {
    private let log: AccessLog
    private let number: UInt32

    init(_ log: AccessLog, route: LogRoute, policy: AccessPolicy) {
        self.log = log
        var route = route
        route.rules = AccessRuleNames(policy)
        number = log.output.routes.insert(route)
    }

    deinit {
        log.output.routes.retire(number)
    }

    /// Queues a decision, on the client's worker. Whatever the level of the log: this one was asked for.
    func record(_ decision: AccessDecision, _ context: StreamContext) {
        if decision.action == .allow, !log.logsAllowed { return }
        log.output.record(
            LogRecord(
                time: WallClock.nanoseconds, route: number, id: context.id, client: context.clientAddress,
                upstreamAddress: nil, session: context.sessionFacts, fact: .decided(decision)),
            shard: context.worker)
    }
}

/// The names of the rules that decide.
final class AccessRuleNames: Sendable, Equatable {
    private let policy: AccessPolicy

    init(_ policy: AccessPolicy) {
        self.policy = policy
    }

    /// The rule as it is written, and for one of a list file where it stands.
    func name(of decision: AccessDecision) -> (text: String, origin: String?) {
        switch decision.step {
        case .loopback: return ("loopback", nil)
        case .allowLocal: return ("allow_local", nil)
        case .routeDefault, .globalDefault: return ("default: \(decision.action)", nil)
        case .globalDeny, .routeDeny, .routeAllow, .globalAllow:
            guard let entry = policy.entry(of: decision) else { return ("", nil) }
            return (entry.text, entry.origin)
        }
    }

    static func == (left: AccessRuleNames, right: AccessRuleNames) -> Bool { left === right }
}
