#if TLS
import LinuxIO
import Logging
import NetworkTypes
import Threading
import WeirAgent
import WeirExporter
import WeirMetrics
import WeirStream

/// The counts and log lines of the agent of this process, and its pages. Safe from any thread.
final class AgentState: TunnelObserver, PathHandler {
    /// The agent, as its pages tell.
    private struct Identity {
        let name: String
        let list: DestinationList
    }

    /// The lines of a window, and those that were left out.
    private struct Lines {
        var windowEnd: UInt64 = 0
        var count = 0
        var suppressed = 0
    }

    private let registry: MetricsRegistry
    private let logger: Logger
    private let checker: RequestedChecker
    private let identity = Lock<Identity?>(nil)
    private let counters = Lock<(RouteRegistration, LabelCounters<TunnelResult>)?>(nil)
    private let lines = Lock(Lines())

    /// Denials that are logged in ``windowNanoseconds``.
    private static let burst = 10
    private static let windowNanoseconds: UInt64 = 10_000_000_000

    init(_ registry: MetricsRegistry, _ engine: StreamEngine, _ log: LogOutput) {
        self.registry = registry
        logger = Logger(label: "weir") { _ in WeirLogHandler(log) }
        checker = RequestedChecker(engine)
    }

    /// There is an agent: its series are there from now on.
    func follow(_ name: String, _ list: DestinationList) {
        identity.withLock { $0 = Identity(name: name, list: list) }
        counters.withLock { counters in
            if counters != nil { return }
            let registration = RouteRegistration(registry)
            counters = (
                registration,
                LabelCounters(registration, MetricCatalogue.tunnelRequests, labels: ["tcp"], on: .tcp)
            )
        }
    }

    // MARK: Requests

    func answered(_ result: TunnelResult, over transport: Transport, worker: Int) {
        // Taken once for each request, which has cost a handshake.
        counters.withLock { $0?.1 }?[result].add(shard: worker)
    }

    func denied(_ destination: Upstream, over transport: Transport, to client: SocketAddress, named name: String) {
        log(
            "destination denied",
            [
                "client": "\(client)", "client_name": "\(name)", "destination": "\(destination)",
                "protocol": "\(transport.rawValue)",
            ])
    }

    /// Logs a line elsewhere than on the worker, within a bound.
    private func log(_ message: String, _ fields: Logger.Metadata) {
        let now = MonotonicClock.system.nanoseconds
        let suppressed = lines.withLock { lines -> Int? in
            var suppressed = 0
            if now >= lines.windowEnd {
                suppressed = lines.suppressed
                lines = Lines(windowEnd: now + Self.windowNanoseconds)
            }
            lines.count += 1
            if lines.count <= Self.burst { return suppressed }
            lines.suppressed += 1
            return nil
        }
        guard let suppressed else { return }
        var fields = fields
        if suppressed > 0 { fields["suppressed"] = "\(suppressed)" }
        let (logger, line) = (logger, fields)
        Task { logger.warning("\(message)", metadata: line) }
    }

    // MARK: Pages

    private static let json = "application/json"
    private static let text = "text/plain; charset=utf-8"
    private static let base = "/godoxy/agent/"

    func answer(_ request: PathRequest) async -> PathAnswer? {
        guard let identity = identity.withLock({ $0 }) else { return nil }
        let version = "v\(BuildInformation.current.version)"
        if request.path.hasPrefix(Self.base) {
            switch request.path.dropFirst(Self.base.count) {
            case "info":
                return Self.page { json in
                    json.add("version", version)
                    json.add("name", identity.name)
                    json.add("runtime", "docker")
                }
            case "version": return .page(contentType: Self.text, body: version)
            case "name": return .page(contentType: Self.text, body: identity.name)
            case "runtime": return .page(contentType: Self.text, body: "docker")
            case "health": return await check(request, identity.list)
            default: return nil
            }
        }
        return Self.engineAnswer(request.path)
    }

    /// The answers of a container engine that has no containers, with which a foreign proxy is content. There is no way
    /// to a real one.
    private static func engineAnswer(_ path: String) -> PathAnswer? {
        var path = path[...]
        // `/v1.41/containers/json`.
        if path.hasPrefix("/v1."), let end = path.dropFirst().firstIndex(of: "/") { path = path[end...] }
        switch path {
        case "/_ping": return .page(contentType: text, body: "OK")
        case "/containers/json": return .page(contentType: json, body: "[]\n")
        case "/events": return .silence(contentType: json)
        case "/version": return .page(contentType: json, body: "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.24\"}\n")
        default: return nil
        }
    }

    private func check(_ request: PathRequest, _ list: DestinationList) async -> PathAnswer {
        let check: RequestedCheck
        do throws(RequestedCheck.Malformed) {
            check = try RequestedCheck(request)
        } catch {
            return .page(.badRequest, contentType: Self.text, body: error.text + "\n")
        }
        let verdict = await checker.run(check, list)
        if verdict.isDenied, let destination = check.destination {
            counters.withLock { $0?.1 }?[.denied].add()
            log(
                "destination denied",
                ["destination": "\(destination)", "protocol": "\(check.transport.rawValue)", "through": "/health"])
        }
        return Self.page { json in
            json.add("healthy", verdict.isHealthy)
            json.add("detail", verdict.detail)
            json.add("latency", verdict.nanoseconds)
        }
    }

    /// A page of one object, whose members `body` writes.
    private static func page(_ body: (inout JSONOutput) -> Void) -> PathAnswer {
        var output = JSONOutput()
        output.object(nil, body)
        return .page(contentType: json, body: String(decoding: output.bytes, as: UTF8.self) + "\n")
    }
}
#endif
