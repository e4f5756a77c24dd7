import LinuxIO
import Threading
import WeirBalance
import WeirConfiguration

/// The upstreams of routes, and whole routes, that an operator drains. It outlives reloads and ends with the
/// process. Any thread.
final class OperatorDrains: Sendable {
    private struct State {
        var routes: Set<String> = []
        /// The upstreams of each route, by their text or the label of their name.
        var upstreams: [String: Set<String>] = [:]
    }

    private let state = Lock(State())

    /// Whether a whole route drains.
    func drains(route: String) -> Bool { state.withLock { $0.routes.contains(route) } }

    /// The upstreams of a route that drain.
    func upstreams(of route: String) -> Set<String> { state.withLock { $0.upstreams[route] ?? [] } }

    /// Begins or ends the drain of a route. False where that changes nothing.
    func set(route: String, to isDraining: Bool) -> Bool {
        state.withLock { state in
            if isDraining { return state.routes.insert(route).inserted }
            return state.routes.remove(route) != nil
        }
    }

    /// Begins or ends the drain of an upstream.
    func set(upstream: String, of route: String, to isDraining: Bool) {
        state.withLock { state in
            if isDraining {
                state.upstreams[route, default: []].insert(upstream)
            } else {
                state.upstreams[route]?.remove(upstream)
                if state.upstreams[route]?.isEmpty == true { state.upstreams[route] = nil }
            }
        }
    }

    /// Lays the drains of a route over its set, whose members may be others than before.
    func apply(to set: UpstreamSet, of route: RouteConfiguration) {
        let wanted = upstreams(of: route.name)
        if wanted.isEmpty { return }
        let now = MonotonicClock.system.nanoseconds
        for member in route.upstreams {
            let name = member.text(targetPorts: route.targetPorts)
            if wanted.contains(name) || wanted.contains(member.label(targetPorts: route.targetPorts)) {
                set.setDraining(name, to: true, now: now)
            }
        }
    }
}
