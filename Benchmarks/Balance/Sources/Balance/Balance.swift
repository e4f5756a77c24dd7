import Glibc
import WeirBalance
import WeirStream

/// Measures the choice among the upstreams of a route. Prints a table, and leaves with 1 where a bar was missed.
///
///     Balance [--quick]
@main
struct Balance {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.allSatisfy({ $0 == "--quick" }) else {
            print("usage: Balance [--quick]")
            exit(2)
        }
        let isQuick = !arguments.isEmpty
        var table = Table(machine: machine(), settings: "medians of processor time, 100 members unless said otherwise")
        let choices = Choices(rounds: isQuick ? 5 : 21, choices: isQuick ? 200_000 : 2_000_000)
        try choices.measure(into: &table)
        try measureTables(rounds: isQuick ? 3 : 11, into: &table)
        if table.missed > 0 { exit(1) }
    }

    /// The table of Maglev, which is built with each change of the members, on no worker.
    static func measureTables(rounds: Int, into table: inout Table) throws {
        for (count, bar) in [(3, nil), (100, 20.0), (BalanceConfiguration.maxMembers, nil)] as [(Int, Double?)] {
            let configuration = Choices.configuration(.maglev, count: count, weights: 1...1)
            let set = try UpstreamSet(configuration, transport: .tcp, now: 1)
            let cost = Cost(rounds: rounds) { _ = set.makeSelector() }
            table.add("a Maglev table of \(count) members", cost / 1e6, "ms", bar: bar)
        }
    }
}

/// Choices as a worker makes them: each client has its address, and the connections of the last 64 clients are open.
struct Choices {
    let rounds: Int
    let choices: Int

    func measure(into table: inout Table) throws {
        for method in BalanceMethod.allCases {
            for weights in [1...1, 1...256] {
                let what = "\(method.rawValue)\(weights == 1...1 ? "" : ", all weights"): choice, begin and end"
                table.add(what, try single(method, weights), "ns", bar: method == .leastConnections ? nil : 100)
                let bar: Double? = method == .leastConnections ? 400 : nil
                table.add("the same by two workers", try together(method, weights), "ns", bar: bar)
            }
        }
        var states = Self.configuration(.maglev, count: 100, weights: 1...1)
        states.whenNone = .reject
        let set = try UpstreamSet(states, transport: .tcp, now: 1)
        for index in 0..<90 { set.checkResult("10.0.0.\(index):5432", isUp: false, now: 1) }
        let worker = Worker(set, states, number: 0)
        table.add(
            "maglev, 90 of 100 are down", Cost(rounds: rounds) { worker.run(choices) } / Double(choices), "ns")
    }

    static func configuration(
        _ method: BalanceMethod, count: Int, weights: ClosedRange<Int>
    ) -> BalanceConfiguration {
        let members = (0..<count).map { index in
            BalancedMember(
                "10.0.\(index / 256).\(index % 256):5432", weight: weights.lowerBound + index * 37 % weights.count)
        }
        return BalanceConfiguration(members, method: method)
    }

    private func single(_ method: BalanceMethod, _ weights: ClosedRange<Int>) throws -> Cost {
        let configuration = Self.configuration(method, count: 100, weights: weights)
        let set = try UpstreamSet(configuration, transport: .tcp, now: 1)
        let worker = Worker(set, configuration, number: 0)
        return Cost(rounds: rounds) { worker.run(choices) } / Double(choices)
    }

    /// The slower one of two threads.
    private func together(_ method: BalanceMethod, _ weights: ClosedRange<Int>) throws -> Cost {
        let configuration = Self.configuration(method, count: 100, weights: weights)
        let set = try UpstreamSet(configuration, transport: .tcp, now: 1)
        let choices = choices
        return Cost(
            (0..<rounds).map { _ in
                onThreads(2) { number in
                    let worker = Worker(set, configuration, number: number)
                    let start = threadNanoseconds()
                    worker.run(choices)
                    return Double(threadNanoseconds() - start) / Double(choices)
                }.max() ?? 0
            })
    }
}

/// One worker of the route.
final class Worker {
    private let selector: any UpstreamSelector
    private var open: [UpstreamHandle]
    private var client: UInt32 = 0
    private static let openCount = 64

    init(_ set: UpstreamSet, _ configuration: BalanceConfiguration, number: Int) {
        let upstream: Upstream
        do { upstream = try Upstream("192.0.2.1:1") } catch { preconditionFailure("\(error)") }
        let members = configuration.members.indices.map {
            UpstreamMember(handle: UpstreamHandle(slot: UInt32($0), generation: 1), upstream: upstream)
        }
        selector = set.makeSelector()(members, number)
        open = []
        client = UInt32(number) << 20
        for _ in 0..<Self.openCount { open.append(choose()) }
    }

    deinit { for member in open { selector.released(member) } }

    func run(_ count: Int) {
        for index in 0..<count {
            let position = index & (Self.openCount - 1)
            selector.released(open[position])
            open[position] = choose()
        }
    }

    @inline(__always)
    private func choose() -> UpstreamHandle {
        client &+= 0x9e37_79b9
        let address = SocketAddress(IPAddress(v4: client), port: 40_000)
        guard let member = selector.next(for: address, tried: TriedUpstreams(), now: 2) else {
            preconditionFailure("a member is up")
        }
        selector.chosen(member)
        return member
    }
}
