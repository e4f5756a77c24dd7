/// A command line that cannot be used.
public struct UsageError: Error {
    /// The mistake, in one sentence without a full stop.
    public let message: String
    /// The name of the command whose usage helps; nil for the program's.
    public let command: String?

    /// An error of a command's arguments.
    public init(_ message: String, command: String? = nil) {
        self.message = message
        self.command = command
    }
}

extension Program {
    /// The meaning of a command line.
    public enum Invocation: Sendable {
        /// A command runs.
        case run(Command, Arguments)
        /// The help of a command, or of the program, is shown.
        case help(Command?)
        /// The version is shown.
        case version
        /// The completions for a shell are shown.
        case completions(Shell)
    }

    /// Parses the arguments that follow the program's name, by the utility syntax guidelines of POSIX.1-2017, chapter
    /// 12, with long options as in getopt_long(3). Pure.
    public func parse(_ words: [String]) throws(UsageError) -> Invocation {
        var words = words[...]
        var name = defaultCommand
        if let first = words.first {
            switch first {
            case "help":
                guard let topic = words.dropFirst().first else { return .help(nil) }
                guard let command = command(topic) else { throw unknownCommand(topic) }
                return .help(command)
            case "-h", "--help": return .help(nil)
            case "--version": return .version
            case "--generate-completion-script": return .completions(try shell(words.dropFirst().first))
            case let first where !first.hasPrefix("-"):
                guard command(first) != nil else { throw unknownCommand(first) }
                name = first
                words = words.dropFirst()
            default: break
            }
        }
        guard let command = command(name) else { throw unknownCommand(name) }
        return try parse(words, of: command)
    }

    private func unknownCommand(_ name: String) -> UsageError {
        let guess = suggestion(name, listedCommands.map(\.name)).map { ". Did you mean '\($0)'?" } ?? ""
        return UsageError("Unknown command '\(name)'\(guess)")
    }

    private func shell(_ name: String?) throws(UsageError) -> Shell {
        let names = Shell.allCases.map(\.rawValue).joined(separator: ", ")
        guard let name else { throw UsageError("Missing value for '--generate-completion-script': one of \(names)") }
        guard let shell = Shell(rawValue: name) else {
            throw UsageError("Unknown shell '\(name)': expected one of \(names)")
        }
        return shell
    }

    private func parse(_ words: ArraySlice<String>, of command: Command) throws(UsageError) -> Invocation {
        var words = words
        var arguments = Arguments()
        var takesOptions = true
        while let word = words.popFirst() {
            guard takesOptions, word.hasPrefix("-"), word != "-" else {
                guard arguments.operands.count < command.operand?.valueNames.count ?? 0 else {
                    throw UsageError("Unexpected argument '\(word)'", command: command.name)
                }
                arguments.operands.append(word)
                continue
            }
            if word == "--" {
                takesOptions = false
                continue
            }
            let (spelling, joined) = Self.split(word)
            guard
                let option = (command.options + CommandOption.common).first(where: { $0.spellings.contains(spelling) })
            else { throw unknownOption(spelling, of: command) }
            guard let valueName = option.valueName else {
                if joined != nil { throw UsageError("'\(spelling)' takes no value", command: command.name) }
                if option.name == "help" { return .help(command) }
                if option.name == "version" { return .version }
                arguments.flags.insert(option.name)
                continue
            }
            guard let value = joined ?? words.popFirst() else {
                throw UsageError("Missing value for '\(spelling) <\(valueName)>'", command: command.name)
            }
            arguments.values[option.name] = value
        }
        return .run(command, arguments)
    }

    /// The option of a word and the value that is joined to it: `--name=value`, `-nvalue`.
    private static func split(_ word: String) -> (spelling: String, value: String?) {
        if word.hasPrefix("--") {
            guard let equals = word.firstIndex(of: "=") else { return (word, nil) }
            return (String(word[..<equals]), String(word[word.index(after: equals)...]))
        }
        let value = word.dropFirst(2)
        return (String(word.prefix(2)), value.isEmpty ? nil : String(value))
    }

    private func unknownOption(_ spelling: String, of command: Command) -> UsageError {
        let known = (command.options + CommandOption.common).map { "--\($0.name)" }
        let guess = suggestion(spelling, known).map { ". Did you mean '\($0)'?" } ?? ""
        return UsageError("Unknown option '\(spelling)'\(guess)", command: command.name)
    }
}
