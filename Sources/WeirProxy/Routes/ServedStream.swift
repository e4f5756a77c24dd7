import LinuxIO
import NetworkTypes
import WeirConfiguration
import WeirStream

/// The stream behind a route, TCP or UDP.
enum ServedStream: Sendable {
    case tcp(TCPStream)
    case udp(UDPStream)

    /// Makes the stream of a route with its own listeners; nothing is bound yet.
    init(_ route: RouteConfiguration, listen: [StreamListener], engine: StreamEngine) throws(StreamError) {
        let upstreams = try Self.upstreams(of: route)
        switch route.settings {
        case .tcp(let settings):
            self = .tcp(
                try TCPStream(
                    name: route.name, listeners: listen, upstreams: upstreams,
                    settings: settings, engine: engine))
        case .udp(let settings):
            self = .udp(
                try UDPStream(
                    name: route.name, listeners: listen, upstreams: upstreams,
                    settings: settings, engine: engine))
        }
    }

    private static func upstreams(of route: RouteConfiguration) throws(StreamError) -> [Upstream] {
        try StreamError.reading { () throws(EndpointError) in try route.targets }
    }

    /// The stream, as the interface of both transports.
    var stream: any WeirStream.Stream {
        switch self {
        case .tcp(let stream): stream
        case .udp(let stream): stream
        }
    }

    /// Takes the addresses without serving them yet; those in `joining` beside listeners of ours that a reload removes.
    func bind(joining: Set<ListenAddress>) throws(StreamError) {
        switch self {
        case .tcp(let stream): try stream.bind(joining: joining)
        case .udp(let stream): try stream.bind(joining: joining)
        }
    }

    /// Takes the addresses that an update will add, likewise.
    func stage(_ listen: [StreamListener], joining: Set<ListenAddress>) throws(StreamError) {
        switch self {
        case .tcp(let stream): try stream.stage(listen, joining: joining)
        case .udp(let stream): try stream.stage(listen, joining: joining)
        }
    }

    /// Gives up what ``stage(_:joining:)`` took.
    func unstage() {
        switch self {
        case .tcp(let stream): stream.unstage()
        case .udp(let stream): stream.unstage()
        }
    }

    /// The addresses that it has, with their real ports.
    var localAddresses: [SocketAddress] {
        switch self {
        case .tcp(let stream): stream.localAddresses
        case .udp(let stream): stream.localAddresses
        }
    }

    /// The addresses that ``stage(_:joining:)`` took, with their real ports.
    var stagedAddresses: [SocketAddress] {
        switch self {
        case .tcp(let stream): stream.stagedAddresses
        case .udp(let stream): stream.stagedAddresses
        }
    }

    /// Removes listeners; their clients may finish within the drain time.
    func remove(_ addresses: Set<ListenAddress>, drainTimeout: Duration) async {
        switch self {
        case .tcp(let stream): await stream.remove(addresses, drainTimeout: drainTimeout)
        case .udp(let stream): await stream.remove(addresses, drainTimeout: drainTimeout)
        }
    }

    /// Ends what removed listeners at these addresses still carry.
    func endLeaving(_ addresses: Set<ListenAddress>) async {
        switch self {
        case .tcp: break
        case .udp(let stream): await stream.endLeaving(addresses)
        }
    }

    /// Ends what it has at hosts that are gone for good.
    func leave(_ gone: [GoneHost]) async {
        switch self {
        case .tcp(let stream): await stream.leave(gone)
        case .udp(let stream): await stream.leave(gone)
        }
    }

    /// The addresses of removed listeners whose sockets are still open.
    var leavingAddresses: [ListenAddress] {
        switch self {
        case .tcp: []
        case .udp(let stream): stream.leavingAddresses
        }
    }

    /// Checks that the targets of a route, which the stream has or is to get, are no listeners of ours.
    func checkForLoops(of entry: ReloadPlan.Entry, among listeners: OwnListeners) throws(StreamError) {
        let upstreams = try Self.upstreams(of: entry.served)
        switch self {
        case .tcp(let stream): try stream.checkForLoops(upstreams, listen: entry.listen, among: listeners)
        case .udp(let stream): try stream.checkForLoops(upstreams, listen: entry.listen, among: listeners)
        }
    }

    /// Serves a draining UDP address again, as another route. False where nothing of it is left; TCP has closed its
    /// sockets and is bound anew.
    func reopen(_ route: RouteConfiguration, hooks: StreamHooks) async throws(StreamError) -> Bool {
        guard case .udp(let stream) = self, case .udp(let settings) = route.settings else { return false }
        return try await stream.reopen(
            name: route.name, upstreams: try Self.upstreams(of: route), settings: settings,
            hooks: hooks)
    }

    /// Points the sockets elsewhere; new connections and sessions follow. It listens at `listen` then.
    func update(
        _ route: RouteConfiguration, listen: [StreamListener], hooks: StreamHooks
    ) async throws(StreamError) {
        let upstreams = try Self.upstreams(of: route)
        switch (self, route.settings) {
        case (.tcp(let stream), .tcp(let settings)):
            try await stream.update(
                name: route.name, listeners: listen, upstreams: upstreams, settings: settings, hooks: hooks)
        case (.udp(let stream), .udp(let settings)):
            try await stream.update(
                name: route.name, listeners: listen, upstreams: upstreams, settings: settings, hooks: hooks)
        default:
            throw .transportMismatch(route.listenText)
        }
    }
}
