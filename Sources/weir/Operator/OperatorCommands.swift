import CommandInterface
import WeirProxy

/// `weir connections`, `weir kill`, `weir drain`, `weir undrain` and `weir log-level`.
enum OperatorCommands {
    private static let filters = [
        CommandOption("route", value: .text("name"), "Those of this route."),
        CommandOption("client", value: .text("address or block"), "Those of this client, or of this network."),
        CommandOption("upstream", value: .text("host:port"), "Those that have reached this upstream."),
        CommandOption("older", value: .text("s"), "Those that are at least this many seconds old."),
    ]

    private static func parameters(_ arguments: Arguments, _ names: [String]) -> [String: String] {
        var parameters: [String: String] = [:]
        for name in names { if let value = arguments[name] { parameters[name] = value } }
        return parameters
    }

    static let connections = Command(
        "connections", "List the connections and sessions of the running Weir, those with the most bytes first.",
        options: AdminOption.options + filters + [
            CommandOption("sort", value: .text("bytes or age"), "What comes first.", defaultValue: "bytes"),
            CommandOption("limit", value: .text("count"), "How many are listed.", defaultValue: "1000"),
            AdminOption.json,
        ]
    ) { arguments in
        let admin = try AdminOption(arguments)
        var wanted = parameters(arguments, ["route", "client", "upstream", "older", "sort", "limit"])
        if arguments.has(AdminOption.json.name) {
            return Console.out(
                String(
                    try admin.answer { client throws(AdminClient.Failure) in try client.get("/v1/connections", wanted) }
                        .dropLast()))
        }
        wanted["format"] = "lines"
        let text = try admin.answer { client throws(AdminClient.Failure) in try client.get("/v1/connections", wanted) }
        var table = TextTable(
            headings: ["ID", "ROUTE", "CLIENT", "UPSTREAM", "AGE", "IN", "OUT"],
            isNumber: [false, false, false, false, true, true, true])
        var total = 0
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            if fields[0] == "total", fields.count == 2 { total = Int(fields[1]) ?? 0 }
            guard fields[0] == "stream", fields.count == 9 else { continue }
            table.rows.append([
                String(fields[1]), String(fields[2]), String(fields[4]), fields[5].isEmpty ? "-" : String(fields[5]),
                Readable.time(Int(fields[6]) ?? 0), Readable.bytes(Double(fields[7]) ?? 0),
                Readable.bytes(Double(fields[8]) ?? 0),
            ])
        }
        for line in table.lines { Console.out(line) }
        if total > table.rows.count { Console.out("… and \(total - table.rows.count) more") }
    }

    static let kill = Command(
        "kill", "End connections and sessions of the running Weir at once.",
        discussion: "Name at least an id, a route, a client or an upstream. Clients and upstreams get a reset.",
        options: AdminOption.options + filters + [AdminOption.json],
        operand: Operand("id", help: "The id of one, as weir connections and the log have it.")
    ) { arguments in
        let admin = try AdminOption(arguments)
        var wanted = parameters(arguments, ["route", "client", "upstream", "older"])
        if let id = arguments.operand { wanted["id"] = id }
        try tell(
            try admin.answer { client throws(AdminClient.Failure) in try client.post("/v1/kill", wanted) }, "ended",
            arguments)
    }

    static let drain = Command(
        "drain", "Give an upstream, or a whole route, no new clients; those that it has stay.",
        discussion: "It lasts over reloads, until weir undrain or the end of the process.",
        options: AdminOption.options + [
            CommandOption("upstream", value: .text("host:port"), "This upstream alone."), AdminOption.json,
        ],
        operand: Operand("route", help: "The route.")
    ) { arguments in try setDrain("/v1/drain", "drains", arguments) }

    static let undrain = Command(
        "undrain", "Give an upstream, or a whole route, new clients again.",
        options: AdminOption.options + [
            CommandOption("upstream", value: .text("host:port"), "This upstream alone."), AdminOption.json,
        ],
        operand: Operand("route", help: "The route.")
    ) { arguments in try setDrain("/v1/undrain", "takes clients", arguments) }

    private static func setDrain(_ path: String, _ word: String, _ arguments: Arguments) throws {
        let admin = try AdminOption(arguments)
        var wanted = parameters(arguments, ["upstream"])
        if let route = arguments.operand { wanted["route"] = route }
        let answer = try admin.answer { client throws(AdminClient.Failure) in try client.post(path, wanted) }
        if arguments.has(AdminOption.json.name) { return Console.out(String(answer.dropLast())) }
        Console.out("\(wanted["upstream"] ?? wanted["route"] ?? ""): \(word)")
    }

    static let logLevel = Command(
        "log-level", "Show or change how much the running Weir logs, until its next reload.",
        options: AdminOption.options + [AdminOption.json],
        operand: Operand("level", help: "`debug`, `info`, `warning` or `error`; without it the level is shown.")
    ) { arguments in
        let admin = try AdminOption(arguments)
        let answer = try admin.answer { client throws(AdminClient.Failure) in
            guard let level = arguments.operand else { return try client.get("/v1/log-level") }
            return try client.post("/v1/log-level", ["level": level])
        }
        try tell(answer, "level", arguments)
    }

    /// Prints the one value of `{"key":value}`.
    private static func tell(_ answer: String, _ key: String, _ arguments: Arguments) throws {
        if arguments.has(AdminOption.json.name) { return Console.out(String(answer.dropLast())) }
        let value = answer.drop { $0 != ":" }.dropFirst().prefix { $0 != "}" }
        Console.out("\(key): \(value.filter { $0 != "\"" })")
    }
}
