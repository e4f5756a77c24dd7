import LinuxIO
import WeirExporter
import WeirMetrics
import WeirStream

/// The answer of `/api/v1/status`, and of an operator's question by the socket for commands: how the process, its
/// routes and their upstreams, its agents, certificates and container engines stand, with the last events, in one JSON
/// document. Counts are read from the cells that a scrape reads. It names no client. A document is confined to the
/// thread that makes it; the exporter has one of its own.
final class StatusDocument: LiveDocument {
    /// Routes in one piece: below 2 ms.
    private static let routesInPiece = 32
    /// Events that are told.
    private static let maxEvents = 20
    /// Bytes from which on routes are told without their members and buckets, so that no configuration makes a document
    /// of any size.
    private static let maxDetailedBytes = 8 * 1024 * 1024

    private let live: LiveBoard
    private let health: Health
    private let startedAt = ProcessStatus.startMilliseconds() ?? 0
    private weak var engine: StreamEngine?
    private weak var log: LogOutput?
    private let metrics: ProcessMetrics

    private var routes: [LiveBoard.Route] = []
    private var next = 0
    private var written = 0
    private var json = JSONOutput()

    init(live: LiveBoard, health: Health, metrics: ProcessMetrics, engine: StreamEngine, log: LogOutput) {
        self.live = live
        self.health = health
        self.metrics = metrics
        self.engine = engine
        self.log = log
    }

    func begin() {
        json = JSONOutput()
        routes = []
        next = -1
        written = 0
    }

    func appendPiece(to output: inout [UInt8]) -> Bool {
        if next < 0 {
            let state = live.current
            routes = state.routes
            next = 0
            writeHead(state)
            json.open("routes", UInt8(ascii: "["))
        } else {
            let end = min(routes.count, next + Self.routesInPiece)
            let clock = LiveClock()
            for route in routes[next..<end] {
                let isDetailed = written + json.bytes.count < Self.maxDetailedBytes
                route.write(to: &json, clock: clock, isDetailed: isDetailed)
            }
            next = end
        }
        let isComplete = next == routes.count
        if isComplete {
            json.close(UInt8(ascii: "]"))
            json.close(UInt8(ascii: "}"))
            routes = []
        }
        written += json.bytes.count
        json.flush(to: &output)
        return isComplete
    }

    func drop() { routes = [] }

    // MARK: Parts

    private func writeHead(_ state: LiveBoard.State) {
        json.open(nil, UInt8(ascii: "{"))
        json.add("api", UInt64(1))
        let build = BuildInformation.current
        json.add("version", build.version)
        json.add("revision", build.revision)
        json.add("now", WallClock.nanoseconds / 1_000_000)
        json.add("started", startedAt)
        writeHealth()
        writeProcess()
        json.object("configuration") { json in
            json.add("taken", state.takenAt)
            json.add("reloads", metrics.reloads.taken)
            json.add("refused", metrics.reloads.refused)
            if let problem = state.problem { json.add("problem", problem) }
        }
        json.array("engines") { json in
            for engine in state.engines?() ?? [] { Self.write(engine, to: &json) }
        }
        json.array("agents") { json in
            let clock = LiveClock()
            for agent in state.agents?() ?? [] { Self.write(agent, to: &json, clock: clock) }
        }
        json.array("certificates") { json in
            for certificate in state.certificates {
                json.object { json in
                    json.add("path", certificate.path)
                    json.add("names", certificate.names)
                    json.add("ends", certificate.expiry)
                    json.add("good", certificate.isGood)
                }
            }
        }
        json.array("events") { json in
            for event in log?.events.latest(Self.maxEvents) ?? [] { Self.write(event, to: &json) }
        }
        // In seconds; the last bucket of each row has no bound.
        json.array("dial_bounds") { json in
            for bound in MetricCatalogue.Buckets.dial { json.add(nil, secondsOf: bound * 1000) }
        }
    }

    private func writeHealth() {
        let isLive = Health.liveness(stalledWorker: engine?.stalledWorker(after: Health.maxTurn))
        json.object("health") { json in
            switch isLive {
            case .ok: json.add("live", true)
            case .unavailable(let reason):
                json.add("live", false)
                json.add("problem", reason)
            }
            json.add("phase", health.phase.word)
        }
    }

    private func writeProcess() {
        let status = ProcessStatus.read()
        json.object("process") { json in
            json.add("workers", UInt64(engine?.workerCount ?? 0))
            json.add("connections", Int64(engine?.openConnections ?? 0))
            json.add("connections_limit", Int64(engine?.connectionLimit ?? 0))
            json.add("log_lines_dropped", log?.droppedLines ?? 0)
            guard let status else { return }
            json.add("cpu_seconds", secondsOf: status.cpuNanoseconds)
            json.add("resident_bytes", status.residentBytes)
            json.add("open_descriptors", status.openDescriptors)
            json.add("max_descriptors", status.maxDescriptors)
        }
    }

    private static func write(_ engine: LiveBoard.Engine, to json: inout JSONOutput) {
        json.object { json in
            json.add("name", engine.name)
            json.add("up", engine.isUp)
            json.add("listed", engine.listedAt)
            json.object("containers") { json in
                for (state, count) in engine.containers where count > 0 { json.add(state.label, count) }
            }
        }
    }

    private static func write(_ agent: LiveBoard.Agent, to json: inout JSONOutput, clock: LiveClock) {
        let standing = agent.standing
        json.object { json in
            json.add("name", agent.name)
            json.add("address", agent.address)
            if let isUp = standing.isUp {
                json.add("up", isUp)
                json.add("since", clock.milliseconds(of: standing.changedAt))
                json.add("probed", clock.milliseconds(of: standing.probedAt))
            }
            if let failure = standing.failure {
                json.add("reason", failure.rawValue)
                json.add("why", failure.words)
            }
            if let tunnelProtocol = standing.tunnelProtocol { json.add("protocol", tunnelProtocol) }
            json.add("tunnels", agent.tunnels)
        }
    }

    private static func write(_ event: EventRecorder.Event, to json: inout JSONOutput) {
        json.object { json in
            json.add("level", event.level >= .error ? "error" : event.level >= .warning ? "warning" : "info")
            if !event.route.isEmpty { json.add("route", event.route) }
            json.add("text", event.text)
            if !event.reason.isEmpty { json.add("reason", event.reason) }
            if !event.detail.isEmpty { json.add("detail", event.detail) }
            json.add("first", event.first / 1_000_000)
            json.add("last", event.last / 1_000_000)
            json.add("count", event.count)
        }
    }
}

extension Health.Phase {
    /// `starting`, `listing`, `ready` or `draining`.
    fileprivate var word: String {
        switch self {
        case .starting: "starting"
        case .awaitingContainers: "listing"
        case .ready: "ready"
        case .draining: "draining"
        }
    }
}
