/// A shell whose completions can be printed.
public enum Shell: String, Sendable, CaseIterable {
    case bash
    case zsh
    case fish
}

extension Program {
    /// A script that completes commands, options and files in a shell, without the end of its last line.
    public func completions(_ shell: Shell) -> String {
        switch shell {
        case .bash: bashCompletions
        case .zsh: zshCompletions
        case .fish: fishCompletions
        }
    }

    private func options(of command: Command) -> [CommandOption] { command.options + CommandOption.common }

    private var bashCompletions: String {
        var cases = ""
        for command in listedCommands {
            let words = options(of: command).flatMap(\.spellings).joined(separator: " ")
            cases += "        \(command.name)) words='\(words)'; operand=\(command.operand == nil ? 0 : 1) ;;\n"
        }
        let common = CommandOption.common.flatMap(\.spellings)
        let first = (listedCommands.map(\.name) + ["help"] + common).joined(separator: " ")
        let files = spellings { if case .file = $0 { true } else { false } }
        let texts = spellings { if case .text = $0 { true } else { false } }
        let filePattern = files.isEmpty ? "''" : files.joined(separator: "|")
        let textPattern = texts.isEmpty ? "''" : texts.joined(separator: "|")
        return """
            _\(name)() {
                local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words='' operand=0
                COMPREPLY=()
                if ((COMP_CWORD == 1)); then
                    COMPREPLY=($(compgen -W '\(first)' -- "$word"))
                    return
                fi
                case "$before" in
                    \(filePattern)) COMPREPLY=($(compgen -f -- "$word")); return ;;
                    \(textPattern)) return ;;
                esac
                case "${COMP_WORDS[1]}" in
            \(cases)        help) words='\(listedCommands.map(\.name).joined(separator: " "))' ;;
                esac
                COMPREPLY=($(compgen -W "$words" -- "$word"))
                if ((operand)) && [[ "$word" != -* ]]; then COMPREPLY+=($(compgen -f -- "$word")); fi
            }
            complete -o filenames -F _\(name) \(name)
            """
    }

    private func spellings(where matches: (CommandOption.Value) -> Bool) -> [String] {
        var found: [String] = []
        for option in listedCommands.flatMap(\.options) where matches(option.value) {
            for spelling in option.spellings where !found.contains(spelling) { found.append(spelling) }
        }
        return found
    }

    private var zshCompletions: String {
        let commands = listedCommands.map { "        '\($0.name):\(Self.zshText($0.abstract))'" }
        let cases = listedCommands.map { command in
            let options = options(of: command).flatMap { option in
                option.spellings.map { spelling in
                    let value =
                        switch option.value {
                        case .none: ""
                        case .file: ":file:_files"
                        case .text(let name): ":\(Self.zshText(name)): "
                        }
                    return "'\(spelling)[\(Self.zshText(option.help))]\(value)'"
                }
            }
            let operand = command.operand.map { ["'1:\($0.valueNames[0]):_files'"] } ?? []
            return "        \(command.name)) _arguments \((options + operand).joined(separator: " ")) ;;"
        }
        return """
            #compdef \(name)
            _\(name)() {
                local -a commands=(
            \(commands.joined(separator: "\n"))
                )
                if ((CURRENT == 2)); then
                    _describe 'command' commands
                    return
                fi
                local command="$words[2]"
                shift words
                ((CURRENT--))
                case "$command" in
            \(cases.joined(separator: "\n"))
                esac
            }
            _\(name) "$@"
            """
    }

    /// Text within single quotes, in which brackets and colons mean themselves.
    private static func zshText(_ text: String) -> String {
        String(
            text.flatMap { character in
                switch character {
                case "'": "'\\''"
                case "[", "]", ":", "\\": "\\\(character)"
                default: "\(character)"
                }
            })
    }

    private var fishCompletions: String {
        let none = "__fish_use_subcommand"
        var lines = ["complete -c \(name) -f"]
        for command in listedCommands {
            lines.append("complete -c \(name) -n \(none) -a \(command.name) -d '\(Self.fishText(command.abstract))'")
            let condition = "'__fish_seen_subcommand_from \(command.name)'"
            for option in options(of: command) {
                let short = option.short.map { " -s \($0)" } ?? ""
                let value =
                    switch option.value {
                    case .none: ""
                    case .file: " -r -F"
                    case .text: " -x"
                    }
                lines.append(
                    "complete -c \(name) -n \(condition)\(short) -l \(option.name)\(value) "
                        + "-d '\(Self.fishText(option.help))'")
            }
            if command.operand != nil { lines.append("complete -c \(name) -n \(condition) -F") }
        }
        return lines.joined(separator: "\n")
    }

    /// Text within single quotes.
    private static func fishText(_ text: String) -> String {
        String(text.flatMap { $0 == "'" || $0 == "\\" ? "\\\($0)" : "\($0)" })
    }
}
