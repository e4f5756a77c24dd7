extension Manual {
    /// The man page (man(7)), without the end of its last line.
    public var manPage: String {
        var lines = [
            ".TH \(program.name.uppercased()) 1 \"\" \"\(Self.escaped(program.version))\" \"User Commands\"",
            ".SH NAME", "\(program.name) \\- \(Self.escaped(program.abstract))",
            ".SH SYNOPSIS",
        ]
        for command in program.listedCommands { lines += Self.synopsis(of: command, in: program) }
        lines += [".SH DESCRIPTION", Self.escaped(description), ".SH COMMANDS"]
        for command in program.listedCommands { lines += Self.section(on: command, in: program) }
        for section in sections {
            lines.append(".SH \(section.title.uppercased())")
            for (term, meaning) in section.entries {
                lines += [".TP", ".B \(Self.escaped(term))", Self.escaped(meaning)]
            }
        }
        return (lines + [".SH SEE ALSO", Self.escaped(seeAlso)]).joined(separator: "\n")
    }

    private static func synopsis(of command: Command, in program: Program) -> [String] {
        let arguments = (command.options.map { spelling(of: $0) } + (command.operand.map { [spelling(of: $0)] } ?? []))
            .map { "[\($0)]" }
        return [".B \(program.name) \(command.name)", arguments.joined(separator: " "), ".br"].filter { !$0.isEmpty }
    }

    private static func section(on command: Command, in program: Program) -> [String] {
        var lines = [".SS \(program.name) \(command.name)", escaped(command.abstract)]
        if let discussion = command.discussion { lines += [".PP", escaped(discussion)] }
        for option in command.options {
            lines += [".TP", spelling(of: option), escaped(option.meaning)]
        }
        if let operand = command.operand { lines += [".TP", spelling(of: operand), escaped(operand.help)] }
        return lines
    }

    private static func spelling(of operand: Operand) -> String {
        "\\fI\(escaped(operand.valueNames.joined(separator: " ")))\\fR"
    }

    /// `\fB-c\fR, \fB--config\fR \fIfile\fR`.
    private static func spelling(of option: CommandOption) -> String {
        let names = option.spellings.map { "\\fB\(escaped($0))\\fR" }.joined(separator: ", ")
        return names + (option.valueName.map { " \\fI\(escaped($0))\\fR" } ?? "")
    }

    /// Text that means itself: no escape, no hyphen that could be broken, no request at the beginning of a line.
    private static func escaped(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let plain = line.map { character in
                switch character {
                case "\\": "\\e"
                case "-": "\\-"
                default: String(character)
                }
            }.joined()
            return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&\(plain)" : plain
        }.joined(separator: "\n")
    }
}
