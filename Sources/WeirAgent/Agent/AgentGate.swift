import LinuxIO
public import NetworkTypes
public import WeirStream
public import WeirTLS

/// Lets clients of an agent through to what they ask for: makes their sessions, reads their requests, and decides over
/// destinations. Shared by all workers; its settings never change.
///
/// The program installs it in the hooks of a route whose upstreams are the entries of the list, in their order, and
/// behind them the two of the agent's own pages.
public final class AgentGate: Sendable {
    /// Looks a name up; it may take its time.
    public typealias Resolve = @Sendable (_ host: String) async -> Result<[SocketAddress], AddressLookup.Failure>
    /// Judges the client that a request names, on its worker. `names` are the DNS names in the certificate of the peer
    /// that named it, in lower case.
    public typealias Admit = @Sendable (StreamContext, _ names: [String]) -> AdmitDecision

    /// The destinations that may be dialed.
    public let list: DestinationList
    private let maxConnectionsPerCertificate: Int?
    private let resolve: Resolve
    private let admit: Admit?
    let observer: any TunnelObserver
    let counts: CertificateCounts

    /// Creates a gate. One that follows another shares its counts.
    public init(
        _ list: DestinationList, maxConnectionsPerCertificate: Int?, observer: any TunnelObserver,
        following previous: AgentGate? = nil, admit: Admit?, resolve: @escaping Resolve
    ) {
        self.list = list
        self.maxConnectionsPerCertificate = maxConnectionsPerCertificate
        self.observer = observer
        self.admit = admit
        self.resolve = resolve
        counts = previous?.counts ?? CertificateCounts()
    }

    /// Adds the hooks of the agent. `makeSession` makes the TLS session of a client.
    public func install(
        in hooks: inout StreamHooks, makeSession: @escaping @Sendable (StreamContext) -> TLSSession
    ) {
        hooks.clientSession = { [self] context in
            let ticket = TunnelTicket()
            context.attach(ticket)
            return AgentSession(makeSession(context), ticket, self, worker: context.worker)
        }
        hooks.decide = { [self] in decide($0) }
        hooks.preDial = { [self] in await decide($0) }
    }

    func enter(_ fingerprint: [UInt8]) -> Bool { counts.enter(fingerprint, limit: maxConnectionsPerCertificate) }

    // MARK: Decisions

    /// Decides where that takes no time; nil for a name.
    private func decide(_ context: StreamContext) -> DialDecision? {
        guard let ticket = context.attachment as? TunnelTicket else { return .reject(.destination) }
        switch ticket.purpose {
        case .unknown: return .reject(.destination)
        case .pages(let role):
            // As a target, so that nothing else is tried where it fails.
            let index = list.entries.count + (role.contains(.client) ? 0 : 1)
            return .dialTarget(DialTarget(upstream: index, addresses: [.unix]))
        case .tunnel(let request):
            guard case .dial(let destination) = request.purpose else { return .reject(.probe) }
            if let client = request.client {
                context.nameClient(client)
                if let admit, case .reject(let reason) = admit(context, ticket.names) {
                    ticket.refusal = .denied
                    return .reject(reason)
                }
            }
            if destination.host.isName { return nil }
            let addresses = destination.literal.map { [$0] } ?? []
            return decide(addresses, for: destination, request, ticket, client: context.clientAddress)
        }
    }

    /// Decides over a name.
    private func decide(_ dial: DialRequest) async -> DialDecision {
        guard let ticket = dial.attachment as? TunnelTicket, case .tunnel(let request) = ticket.purpose,
            case .dial(let destination) = request.purpose
        else { return .reject(.destination) }
        switch await resolve("\(destination.host)") {
        case .success(let found) where !found.isEmpty:
            let addresses = found.map { SocketAddress($0.ip, port: destination.port, scope: $0.scope) }
            return decide(addresses, for: destination, request, ticket, client: dial.clientAddress)
        case .success, .failure:
            ticket.refusal = .dns
            return .reject(.destination)
        }
    }

    private func decide(
        _ addresses: [SocketAddress], for destination: Upstream, _ request: TunnelRequest, _ ticket: TunnelTicket,
        client: SocketAddress
    ) -> DialDecision {
        if let (index, allowed) = list.choose(addresses, over: .tcp) {
            return .dialTarget(DialTarget(upstream: index, addresses: allowed, timeout: request.timeLeft))
        }
        ticket.refusal = .denied
        observer.denied(destination, over: .tcp, to: client, named: ticket.name)
        return .reject(.destination)
    }
}
