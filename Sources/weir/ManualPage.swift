import FoundationEssentials

/// The man page of the command line (man(7)), made from what the argument parser knows of it, so that the two never
/// differ.
struct ManualPage {
    /// The parts of `--experimental-dump-help` that a manual tells.
    private struct Help: Decodable {
        struct Command: Decodable {
            let commandName: String
            let abstract: String?
            let discussion: String?
            let shouldDisplay: Bool?
            let arguments: [Argument]?
            let subcommands: [Command]?
        }

        struct Argument: Decodable {
            struct Name: Decodable {
                let kind: String
                let name: String
            }

            let kind: String
            let names: [Name]?
            let valueName: String?
            let abstract: String?
            let defaultValue: String?
            let isOptional: Bool
            let shouldDisplay: Bool
        }

        let command: Command
    }

    /// The page, without the end of its last line.
    let text: String

    /// A page of what the parser dumped, JSON.
    init(of dump: String) throws {
        let command = try JSONDecoder().decode(Help.self, from: Data(dump.utf8)).command
        let subcommands = (command.subcommands ?? []).filter { $0.shouldDisplay != false && $0.commandName != "help" }
        var lines = [
            ".TH WEIR 1 \"\" \"\(Self.escaped(Version.text))\" \"User Commands\"",
            ".SH NAME", "weir \\- \(Self.escaped(command.abstract ?? ""))",
            ".SH SYNOPSIS",
        ]
        for subcommand in subcommands { lines += Self.synopsis(of: subcommand) }
        lines += [".SH DESCRIPTION", Self.escaped(Self.description), ".SH COMMANDS"]
        for subcommand in subcommands { lines += Self.section(on: subcommand) }
        for (title, entries) in Self.reference {
            lines.append(".SH \(title)")
            for (term, meaning) in entries { lines += [".TP", ".B \(Self.escaped(term))", Self.escaped(meaning)] }
        }
        text = (lines + [".SH SEE ALSO", Self.escaped("systemd.service(5), sd_notify(3), prometheus(1)")])
            .joined(separator: "\n")
    }

    private static let description = """
        Weir relays TCP connections and UDP datagrams from the addresses of its routes to their upstreams, and serves \
        what it measures to Prometheus. Without a command it does what run does.
        """

    /// What no argument tells.
    private static let reference: [(title: String, entries: [(term: String, meaning: String)])] = [
        (
            "SIGNALS",
            [
                ("SIGHUP", "Read the configuration again and open log files again."),
                ("SIGTERM, SIGINT", "Refuse what is new, let the old finish, end. A second one ends at once."),
            ]
        ),
        (
            "EXIT STATUS",
            [
                ("0", "What was asked for is done; for health: the process is well."),
                ("1", "An error, which is printed; for health: the process is not well, or does not answer."),
                ("64", "The command line is wrong."),
            ]
        ),
        (
            "ENVIRONMENT",
            [
                ("WEIR_CONFIG", "The configuration file, where --config does not name one."),
                ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by a service manager that wants to be told; see sd_notify(3)."),
                ("others", "Take the place of ${NAME} in the configuration."),
            ]
        ),
        ("FILES", [("/etc/weir/weir.yml", "The configuration, unless another is named.")]),
    ]

    private static func synopsis(of command: Help.Command) -> [String] {
        let arguments = displayed(command).map { argument in
            let text = spelling(of: argument)
            return argument.isOptional ? "[\(text)]" : text
        }
        return [".B weir \(command.commandName)", arguments.joined(separator: " "), ".br"].filter { !$0.isEmpty }
    }

    private static func section(on command: Help.Command) -> [String] {
        var lines = [".SS weir \(command.commandName)", escaped(command.abstract ?? "")]
        if let discussion = command.discussion { lines += [".PP", escaped(discussion)] }
        for argument in displayed(command) {
            lines += [".TP", spelling(of: argument), escaped(meaning(of: argument))]
        }
        return lines
    }

    /// The arguments that are the command's own: all have --help and --version.
    private static func displayed(_ command: Help.Command) -> [Help.Argument] {
        (command.arguments ?? []).filter { argument in
            let names = (argument.names ?? []).map(\.name)
            return argument.shouldDisplay && !names.contains("help") && !names.contains("version")
        }
    }

    private static func meaning(of argument: Help.Argument) -> String {
        let meaning = argument.abstract ?? ""
        return argument.defaultValue.map { "\(meaning) Default: \($0)." } ?? meaning
    }

    /// `\fB-c\fR, \fB--config\fR \fIfile\fR`.
    private static func spelling(of argument: Help.Argument) -> String {
        let value = "\\fI\(escaped(argument.valueName ?? "value"))\\fR"
        if argument.kind == "positional" { return value }
        let names = (argument.names ?? []).map { name in
            "\\fB\(escaped((name.kind == "long" ? "--" : "-") + name.name))\\fR"
        }
        return names.joined(separator: ", ") + (argument.kind == "option" ? " \(value)" : "")
    }

    /// Text that means itself: no escape, no hyphen that could be broken, no request at the beginning of a line.
    private static func escaped(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let plain = line.replacing("\\", with: "\\e").replacing("-", with: "\\-")
            return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&\(plain)" : plain
        }.joined(separator: "\n")
    }
}
