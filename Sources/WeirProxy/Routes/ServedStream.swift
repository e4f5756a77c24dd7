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

    /// The stream, as the interface that both transports have in common.
    var stream: any ReloadableStream {
        switch self {
        case .tcp(let stream): stream
        case .udp(let stream): stream
        }
    }

    /// Checks that the targets of a route, which the stream has or is to get, are no listeners of ours.
    func checkForLoops(of entry: ReloadPlan.Entry, among listeners: OwnListeners) throws(StreamError) {
        try stream.checkForLoops(try Self.upstreams(of: entry.served), listen: entry.listen, among: listeners)
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
