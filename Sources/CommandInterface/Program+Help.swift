extension Program {
    /// The columns of a terminal that help is made for.
    private static let width = 80
    /// The column in which descriptions of options begin, from 0.
    private static let descriptionColumn = 26

    /// The help of a command, or of the program where that is nil, without the end of its last line.
    public func help(_ command: Command?) -> String {
        guard let command else {
            let commands = listedCommands.map { command in
                (command.name == defaultCommand ? "\(command.name) (default)" : command.name, command.abstract)
            }
            return [
                Self.wrapped("OVERVIEW: \(abstract)"), "USAGE: \(name) <subcommand>",
                Self.section("OPTIONS", CommandOption.common.map(Self.entry)),
                Self.section("SUBCOMMANDS", commands) + "\n\n  See '\(name) help <subcommand>' for detailed help.",
            ].joined(separator: "\n\n")
        }
        var parts = [Self.wrapped("OVERVIEW: \(command.abstract)")]
        if let discussion = command.discussion { parts.append(Self.wrapped(discussion)) }
        parts.append("USAGE: \(usage(of: command))")
        if let operand = command.operand {
            parts.append(Self.section("ARGUMENTS", [(operand.term, operand.help)]))
        }
        parts.append(Self.section("OPTIONS", (command.options + CommandOption.common).map(Self.entry)))
        return parts.joined(separator: "\n\n")
    }

    /// The text that goes to standard error where a command line cannot be used.
    public func explanation(of error: UsageError) -> String {
        guard let command = error.command.flatMap(command) else {
            return "Error: \(error.message)\nUsage: \(name) <subcommand>\n  See '\(name) --help' for more information."
        }
        return "Error: \(error.message)\nUsage: \(usage(of: command))\n"
            + "  See '\(name) \(command.name) --help' for more information."
    }

    /// `weir check [--config <file>] [<file>]`.
    func usage(of command: Command) -> String {
        let options = command.options.map { option in
            "[--\(option.name)\(option.valueName.map { " <\($0)>" } ?? "")]"
        }
        let operand = command.operand.map { ["[\($0.term)]"] } ?? []
        return ([name, command.name] + options + operand).joined(separator: " ")
    }

    private static func entry(_ option: CommandOption) -> (String, String) {
        let term = option.spellings.joined(separator: ", ") + (option.valueName.map { " <\($0)>" } ?? "")
        return (term, option.help + (option.defaultValue.map { " (default: \($0))" } ?? ""))
    }

    private static func section(_ title: String, _ entries: [(term: String, meaning: String)]) -> String {
        let indent = String(repeating: " ", count: descriptionColumn)
        let lines = entries.map { entry in
            let term = "  \(entry.term)"
            let meaning = broken(entry.meaning, width: width - descriptionColumn)
            if term.count + 1 > descriptionColumn {
                return ([term] + meaning.map { indent + $0 }).joined(separator: "\n")
            }
            let padding = String(repeating: " ", count: descriptionColumn - term.count)
            return term + padding + meaning.joined(separator: "\n\(indent)")
        }
        return ([title + ":"] + lines).joined(separator: "\n")
    }

    private static func wrapped(_ text: String) -> String { broken(text, width: width).joined(separator: "\n") }

    /// Breaks text between words. A word that is longer than a line has one of its own.
    private static func broken(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count < width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
