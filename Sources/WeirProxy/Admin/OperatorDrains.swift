import LinuxIO
import Threading
import WeirBalance
import WeirConfiguration

/// The upstreams of routes, and whole routes, that an operator drains. It outlives reloads and ends with the
/// process. Any thread.
final class OperatorDrains: Sendable {
    /// An upstream of a route as commands name it.
    struct Member: Hashable {
        /// Unlike that of all others of the route.
        let text: String
        /// All members of a name share that of the name.
        let label: String

        func isNamed(_ upstream: String) -> Bool { text == upstream || label == upstream }
    }

    /// The drained upstreams of a route, by the text of a member or the label of several, with those of the latter that
    /// take clients again.
    private typealias Drained = [String: Set<String>]

    private struct State {
        var routes: Set<String> = []
        var upstreams: [String: Drained] = [:]
    }

    private let state = Lock(State())

    /// Whether a whole route drains.
    func drains(route: String) -> Bool { state.withLock { $0.routes.contains(route) } }

    /// Whether an upstream of a route drains, by itself or with all of its name.
    func drains(_ member: Member, of route: String) -> Bool {
        state.withLock { Self.drains(member, $0.upstreams[route] ?? [:]) }
    }

    /// Begins or ends the drain of a route. False where that changes nothing.
    func set(route: String, to isDraining: Bool) -> Bool {
        state.withLock { state in
            if isDraining { return state.routes.insert(route).inserted }
            return state.routes.remove(route) != nil
        }
    }

    /// Begins the drain of an upstream, or of all members of a name, also of those that it will have.
    func begin(_ upstream: String, of route: String) {
        state.withLock { $0.upstreams[route, default: [:]][upstream] = [] }
    }

    /// Ends the drain of an upstream, or of all members of a name. Where a member drains with all of its name, the
    /// others go on to drain. `members` are all that the route has.
    func end(_ upstream: String, of route: String, members: [Member]) {
        state.withLock { state in
            guard var drained = state.upstreams[route] else { return }
            drained[upstream] = nil
            for member in members where member.isNamed(upstream) {
                drained[member.text] = nil
                drained[member.label]?.insert(member.text)
            }
            // A name of which nothing drains any more does not drain what it finds later.
            for label in Set(members.map(\.label)) {
                guard let excepted = drained[label] else { continue }
                if members.allSatisfy({ $0.label != label || excepted.contains($0.text) }) { drained[label] = nil }
            }
            state.upstreams[route] = drained.isEmpty ? nil : drained
        }
    }

    /// Lays the drains of a route over its set, whose members may be others than before.
    func apply(to set: UpstreamSet, of route: RouteConfiguration) {
        let drained = state.withLock { $0.upstreams[route.name] ?? [:] }
        if drained.isEmpty { return }
        let now = MonotonicClock.system.nanoseconds
        for member in route.drainableMembers where Self.drains(member, drained) {
            set.setDraining(member.text, to: true, now: now)
        }
    }

    private static func drains(_ member: Member, _ drained: Drained) -> Bool {
        if drained[member.text] != nil { return true }
        guard let excepted = drained[member.label] else { return false }
        return !excepted.contains(member.text)
    }
}

extension RouteConfiguration {
    /// The upstreams that an operator may drain, in order; of a route that is served with its members.
    var drainableMembers: [OperatorDrains.Member] {
        upstreams.map { upstream in
            OperatorDrains.Member(
                text: upstream.text(targetPorts: targetPorts), label: upstream.label(targetPorts: targetPorts))
        }
    }
}
