extension Manual {
    /// The sections of a page in Markdown, with the end of the last line.
    public var markdown: String {
        let commands = program.listedCommands.map(markdown(on:))
        let common = Self.table("option", CommandOption.common.map(Self.row))
        let rest = sections.map { section in
            let rows = section.entries.map { entry in
                let terms = entry.term.split(separator: ",").map { Self.code(String($0.drop { $0 == " " })) }
                return (terms.joined(separator: ", "), entry.meaning)
            }
            return ["## \(section.title)", Self.table(section.title.lowercased(), rows)]
        }
        let blocks = commands + [["## Every command", common]] + rest
        return blocks.joined().joined(separator: "\n\n") + "\n"
    }

    private func markdown(on command: Command) -> [String] {
        let remark = command.name == program.defaultCommand ? " The default command." : ""
        let text = [command.abstract + remark, command.discussion].compactMap { $0 }.joined(separator: " ")
        var blocks = [
            "## \(program.name) \(command.name)", "```text\n\(program.usage(of: command))\n```", Self.escaped(text),
        ]
        let operand = command.operand.map { [(Self.code($0.term), $0.help)] } ?? []
        let rows = command.options.map(Self.row) + operand
        if !rows.isEmpty { blocks.append(Self.table("argument", rows)) }
        return blocks
    }

    private static func row(of option: CommandOption) -> (String, String) {
        let value = option.valueName.map { " <\($0)>" } ?? ""
        return (option.spellings.map { code($0 + value) }.joined(separator: ", "), option.meaning)
    }

    private static func table(_ title: String, _ rows: [(term: String, meaning: String)]) -> String {
        let lines = rows.map { "| \($0.term) | \(escaped($0.meaning)) |" }
        return (["| \(title) | meaning |", "|---|---|"] + lines).joined(separator: "\n")
    }

    /// Code in a column of a table.
    private static func code(_ text: String) -> String { "`\(escaped(text, "|"))`" }

    /// Text that means itself, in a paragraph and in a table.
    private static func escaped(_ text: String, _ marks: String = "\\`*_[]<>|") -> String {
        text.reduce(into: "") { result, character in
            if marks.contains(character) { result.append("\\") }
            result.append(character)
        }
    }
}
