import Threading

/// The fields that every line of a route has.
struct LogRoute: Sendable, Equatable {
    var name: String
    /// `tcp` or `udp`.
    var transport: String
    /// The configured listener, `tcp4://0.0.0.0:2222`.
    var listen: String
    /// The configured upstreams, `localhost:22`, in order.
    var upstreams: [String]
    /// The agents that upstreams are behind, by the index of the upstream.
    var agents: [Int: String] = [:]
    /// In the access log: what the rules behind decisions are called.
    var rules: AccessRuleNames?

    /// All upstreams in one text.
    var destination: String { upstreams.joined(separator: ",") }

    /// The agent that every upstream is behind; nil where some are not, or there are several agents.
    var onlyAgent: String? {
        guard let first = agents[0], upstreams.indices.allSatisfy({ agents[$0] == first }) else { return nil }
        return first
    }
}

/// The routes behind the numbers in log records. Routes come and go with reloads; workers carry only numbers.
final class LogRouteTable: Sendable {
    private struct State {
        var next: UInt32 = 1
        var routes: [UInt32: LogRoute] = [:]
        var leaving: [UInt32] = []
    }

    private let state = Lock(State())

    /// Gives a route its number.
    func insert(_ route: LogRoute) -> UInt32 {
        state.withLock { state in
            let number = state.next
            state.next &+= 1
            state.routes[number] = route
            return number
        }
    }

    /// No record with this number will be queued any more. The number stays valid for what is queued already.
    func retire(_ number: UInt32) {
        state.withLock { $0.leaving.append(number) }
    }

    /// All routes, and those that were retired before: they can be forgotten once every queue was emptied after this.
    func snapshot() -> (routes: [UInt32: LogRoute], leaving: [UInt32]) {
        state.withLock { state in
            defer { state.leaving = [] }
            return (state.routes, state.leaving)
        }
    }

    /// Forgets retired routes.
    func forget(_ numbers: [UInt32]) {
        if numbers.isEmpty { return }
        state.withLock { state in
            for number in numbers { state.routes[number] = nil }
        }
    }

    /// How many routes have a number.
    var count: Int { state.withLock { $0.routes.count } }
}
