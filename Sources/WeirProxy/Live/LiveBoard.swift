import Threading
import WeirBalance
import WeirConfiguration
import WeirDocker

/// The parts of the proxy that a live document reads, as the proxy has published them last. Any thread.
final class LiveBoard: Sendable {
    /// A route with what counts for it.
    struct Route: Sendable {
        let observer: any RouteObserver
        /// Nil where the route has one upstream.
        let set: UpstreamSet?
        /// The index of the upstream, as it is configured, of each member.
        let upstreams: [String: Int]
        /// Whether an operator drains the whole route.
        let isDraining: Bool

        init(_ route: RunningRoute, set: UpstreamSet?, isDraining: Bool) {
            self.isDraining = isDraining
            observer = route.observer
            self.set = set
            let labels = route.observer.common.route.upstreams.map(\.label)
            let served = route.served
            upstreams = Dictionary(
                served.upstreams.map { member in
                    let label = member.label(targetPorts: served.targetPorts)
                    return (member.text(targetPorts: served.targetPorts), labels.firstIndex(of: label) ?? 0)
                }, uniquingKeysWith: { first, _ in first })
        }
    }

    struct Certificate: Sendable, Equatable {
        var path: String
        var names: String
        /// In seconds since 1970; 0 for certificates of authorities.
        var expiry: Int64
        /// False where a changed file was refused, and this older one stays.
        var isGood: Bool
    }

    /// A container engine.
    struct Engine: Sendable {
        var name: String
        var isUp: Bool
        /// When its containers were last listed, in milliseconds since 1970; 0 for never.
        var listedAt: Int64
        /// The number of containers in each state.
        var containers: [(state: ContainerVerdict.State, count: Int64)]
    }

    /// An agent that routes dial through.
    struct Agent: Sendable {
        var name: String
        var address: String
        var standing: AgentStanding
        /// Tunnels that carry a connection.
        var tunnels: Int64
    }

    struct State: Sendable {
        var routes: [Route] = []
        var certificates: [Certificate] = []
        /// The reason why the last reload was refused; nil where none was since the file was taken.
        var problem: String?
        /// When the configuration was taken, in milliseconds since 1970.
        var takenAt: Int64 = 0
        var engines: (@Sendable () -> [Engine])?
        var agents: (@Sendable () -> [Agent])?
    }

    private let state = Lock(State())

    /// All of it as it is now.
    var current: State { state.withLock { $0 } }

    func update(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
}
