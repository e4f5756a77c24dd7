import CommandInterface
import Glibc
import WeirProxy

/// `weir status` and `weir top`.
enum StatusCommand {
    static let status = Command(
        "status", "Show the routes of the running Weir, with rates, upstreams and last errors, and its agents.",
        discussion: "Rates are those of one second.", options: AdminOption.options + [AdminOption.json]
    ) { arguments in
        let admin = try AdminOption(arguments)
        if arguments.has(AdminOption.json.name) {
            return Console.out(
                String(
                    try admin.answer { client throws(AdminClient.Failure) in try client.get("/v1/status") }.dropLast()))
        }
        let before = try look(admin)
        try waitFor { try await Task.sleep(for: .seconds(1)) }
        for line in try look(admin).lines(since: before, seconds: 1, hasMembers: true) { Console.out(line) }
    }

    /// The clients that are shown.
    private static let clients = 10

    static let top = Command(
        "top", "Show the busiest routes and clients of the running Weir, again and again.",
        discussion: "Ctrl-C ends it. With --once it prints once, for scripts.",
        options: AdminOption.options + [
            CommandOption("once", "Print once and end."),
            CommandOption("interval", value: .text("s"), "Seconds between two looks.", defaultValue: "2"),
        ]
    ) { arguments in
        let admin = try AdminOption(arguments)
        guard let seconds = Int(arguments["interval"] ?? "2"), (1...3600).contains(seconds) else {
            throw UsageError("--interval: expected 1 to 3600 seconds", command: "top")
        }
        var before = try look(admin)
        while true {
            try waitFor { try await Task.sleep(for: .seconds(seconds)) }
            let now = try look(admin)
            let clients = try admin.answer { client throws(AdminClient.Failure) in
                try client.get("/v1/top", ["format": "lines", "limit": "\(Self.clients)"])
            }
            let lines =
                now.lines(since: before, seconds: Double(seconds), hasMembers: false) + [""]
                + ClientTable.lines(of: clients)
            let isTerminal = isatty(STDOUT_FILENO) == 1 && !arguments.has("once")
            // Home, every line cleared to its end as it is written, and what is below cleared: no flicker.
            Console.out(
                isTerminal
                    ? "\u{1b}[H" + lines.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J" : lines.joined(separator: "\n")
            )
            if arguments.has("once") { return }
            before = now
        }
    }

    private static func look(_ admin: AdminOption) throws(Failure) -> RouteLines {
        RouteLines(
            try admin.answer { client throws(AdminClient.Failure) in try client.get("/v1/status", ["format": "lines"]) }
        )
    }
}

/// The routes of one answer.
struct RouteLines {
    private struct Route {
        var fields: [Substring]
        var members: [[Substring]] = []
        var event: [Substring]?
        var key: String { "\(fields[2]) \(fields[1])" }
        func number(_ index: Int) -> UInt64 { UInt64(fields[index]) ?? 0 }
    }

    private var routes: [Route] = []
    private var agents: [[Substring]] = []

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            switch (fields[0], fields.count) {
            case ("route", 10): routes.append(Route(fields: fields))
            case ("member", 6): if !routes.isEmpty { routes[routes.count - 1].members.append(fields) }
            case ("agent", 8): agents.append(fields)
            case ("event", 5):
                // The newest comes first.
                if let index = routes.firstIndex(where: { $0.fields[1] == fields[1] && $0.event == nil }) {
                    routes[index].event = fields
                }
            default: break
            }
        }
    }

    func lines(since before: RouteLines, seconds: Double, hasMembers: Bool) -> [String] {
        var table = TextTable(
            headings: ["ROUTE", "PROTO", "OPEN", "IN/S", "OUT/S", "FAILED", "DENIED", "STATE"],
            isNumber: [false, false, true, true, true, true, true, false])
        let earlier = Dictionary(before.routes.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        var order = routes.map { route in
            let old = earlier[route.key]
            let rate = { (index: Int) in
                Double(route.number(index) - min(old?.number(index) ?? 0, route.number(index))) / seconds
            }
            return (route, rate(5), rate(6))
        }
        if !hasMembers { order.sort { $0.1 + $0.2 > $1.1 + $1.2 } }
        for (route, ingress, egress) in order {
            let out = route.members.count { $0[2] != "up" }
            let state =
                route.members.isEmpty || out == 0 ? String(route.fields[3]) : "\(out) of \(route.members.count) out"
            table.rows.append([
                String(route.fields[1]), String(route.fields[2]), String(route.fields[4]), Readable.bytes(ingress),
                Readable.bytes(egress), String(route.fields[7]), String(route.fields[9]), state,
            ])
        }
        let lines = table.lines
        guard hasMembers else { return Array(lines.prefix(16)) }
        var result = [lines[0]]
        for (index, (route, _, _)) in order.enumerated() {
            result.append(lines[index + 1])
            for member in route.members {
                let cause = member[4].isEmpty || member[2] == "up" ? "" : ": \(member[4])"
                let time = Readable.time(Int(member[3]) ?? 0)
                result.append(Self.cut("  \(member[1])  \(member[2]) for \(time)\(cause), \(member[5]) open"))
            }
            if let event = route.event {
                result.append(Self.cut("  \(Readable.time(Int(event[2]) ?? 0)) ago: \(event[4])"))
            }
        }
        return result + agentLines
    }

    private var agentLines: [String] {
        if agents.isEmpty { return [] }
        var result = ["", "AGENTS"]
        for agent in agents {
            let time = Readable.time(Int(agent[4]) ?? 0)
            let state = agent[3] == "unknown" ? "not probed yet" : "\(agent[3]) for \(time)"
            let spoken = agent[6].isEmpty ? "" : ", \(agent[6])"
            result.append(Self.cut("\(agent[1])  \(agent[2])  \(state)\(spoken), tunnels: \(agent[7])"))
            if !agent[5].isEmpty { result.append(Self.cut("  \(agent[5])")) }
        }
        return result
    }

    private static func cut(_ text: String) -> String {
        text.count <= TextTable.width ? text : String(text.prefix(TextTable.width - 1)) + "…"
    }
}

/// The clients with the most bytes in what is open.
enum ClientTable {
    static func lines(of text: String) -> [String] {
        var rows: [[String]] = []
        var missed: [String] = []
        var isExact = true
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count == 6, fields[0] == "client" else { continue }
            rows.append([
                String(fields[1]), String(fields[2]), Readable.bytes(Double(fields[3]) ?? 0),
                Readable.bytes(Double(fields[4]) ?? 0),
            ])
            missed.append(fields[5] == "0" ? "" : Readable.bytes(Double(fields[5]) ?? 0))
            if fields[5] != "0" { isExact = false }
        }
        if isExact {
            return TextTable(
                headings: ["CLIENT", "OPEN", "IN", "OUT"], isNumber: [false, true, true, true], rows: rows
            ).lines
        }
        let table = TextTable(
            headings: ["CLIENT", "OPEN", "IN", "OUT", "MISSED"], isNumber: [false, true, true, true, true],
            rows: zip(rows, missed).map { $0 + [$1] })
        return table.lines + ["More clients than counters: MISSED is what one may have besides, at most."]
    }
}
