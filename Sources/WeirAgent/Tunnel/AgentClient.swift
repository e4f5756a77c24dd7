import Synchronization
public import WeirStream
public import WeirTLS

/// The client of one agent: makes its tunnels. Its certificates can be replaced while it is used. Safe from any thread.
public final class AgentClient: Sendable {
    /// The most handshakes that a worker has in flight.
    public static let maxHandshakes = 16

    /// The agent's name in the configuration.
    public let name: String
    let observer: (any AgentObserver)?
    private let tunnels: TLSClient
    /// For the agent's HTTP API, which is served where no protocol is agreed on.
    private let api: TLSClient
    private let speaksPlain = Atomic(false)
    /// By worker.
    private let handshakes: [HandshakeCount]

    /// Creates the client of an agent for a number of workers.
    /// - Throws: ``CertificateProblem`` where the credentials cannot be used.
    public init(
        name: String, _ credentials: AgentCredentials, workers: Int, observer: (any AgentObserver)?
    ) throws(CertificateProblem) {
        let own = try CertificateSet([credentials.own])
        try CertificateSet.check(authorities: credentials.authority)
        guard let tunnels = TLSClient(Self.settings(credentials, forTunnels: true), own: own),
            let api = TLSClient(Self.settings(credentials, forTunnels: false), own: own)
        else { throw .refused }
        self.name = name
        self.tunnels = tunnels
        self.api = api
        self.observer = observer
        handshakes = (0..<max(1, workers)).map { _ in HandshakeCount() }
    }

    /// Uses other credentials for new tunnels.
    /// - Throws: ``CertificateProblem`` where they cannot be used; the old ones stay.
    public func use(_ credentials: AgentCredentials) throws(CertificateProblem) {
        let own = try CertificateSet([credentials.own])
        try CertificateSet.check(authorities: credentials.authority)
        guard tunnels.use(Self.settings(credentials, forTunnels: true), own: own),
            api.use(Self.settings(credentials, forTunnels: false), own: own)
        else { throw .refused }
    }

    private static func settings(_ credentials: AgentCredentials, forTunnels: Bool) -> TLSClientSettings {
        var settings = TLSClientSettings()
        settings.authorities = credentials.authority
        settings.serverName = TunnelProtocol.serverName
        if forTunnels { settings.protocols = TunnelProtocol.allCases.map(\.rawValue) }
        return settings
    }

    /// The agent's tunnels on a worker.
    public func tunnel(worker: Int) -> any UpstreamTunnel { WorkerTunnel(self, worker: worker) }

    func handshakeCount(worker: Int) -> HandshakeCount { handshakes[min(worker, handshakes.count - 1)] }

    func makeSession(worker: Int) -> TLSSession {
        tunnels.makeSession(to: nil, port: 0, worker: worker, observer: nil)
    }

    /// Creates a tunnel to a destination that belongs to no client, for use on another thread than a worker's.
    public func makeTunnel(to destination: AgentDestination, timeout: Duration) -> TunnelSession {
        TunnelSession(
            makeSession(worker: 0), TunnelRequest(to: destination, timeLeft: timeout), timeLeft: timeout, worker: 0)
    }

    /// Whether the agent spoke ``TunnelProtocol/plain`` when it was asked last.
    public var isPlain: Bool { speaksPlain.load(ordering: .relaxed) }

    func noteProtocol(_ agreed: TunnelProtocol?) {
        if let agreed { speaksPlain.store(agreed == .plain, ordering: .relaxed) }
    }

    /// Creates a session with the agent's HTTP API.
    func makeAPISession() -> TLSSession { api.makeSession(to: nil, port: 0, worker: 0, observer: nil) }
}

/// The handshakes of a worker with one agent that are in flight.
final class HandshakeCount: Sendable {
    private let count = Atomic(0)

    /// Adds one, unless there are too many.
    func enter() -> Bool {
        // Only the worker adds; the count orders nothing else.
        if count.load(ordering: .relaxed) >= AgentClient.maxHandshakes { return false }
        count.wrappingAdd(1, ordering: .relaxed)
        return true
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}

/// The tunnels to one agent on one worker.
final class WorkerTunnel: UpstreamTunnel {
    let client: AgentClient
    let worker: Int
    let handshakes: HandshakeCount

    init(_ client: AgentClient, worker: Int) {
        self.client = client
        self.worker = worker
        handshakes = client.handshakeCount(worker: worker)
    }

    func reserve() -> (any TunnelReservation)? {
        handshakes.enter() ? HandshakeReservation(self) : nil
    }

    func connectFailed(_ reason: DialFailure) {
        client.observer?.handshakeFailed(AgentFailure(reason), worker: worker)
    }
}

/// A handshake in flight.
final class HandshakeReservation: TunnelReservation {
    private let tunnel: WorkerTunnel

    init(_ tunnel: WorkerTunnel) {
        self.tunnel = tunnel
    }

    deinit { tunnel.handshakes.leave() }

    func makeSession(for request: TunnelSessionRequest) -> any SecureSession {
        TunnelSession(
            tunnel.client.makeSession(worker: tunnel.worker), TunnelRequest(request), timeLeft: request.timeLeft,
            worker: tunnel.worker, observer: tunnel.client.observer, reservation: self)
    }
}
