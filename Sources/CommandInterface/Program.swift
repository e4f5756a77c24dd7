/// A program with commands, each with options. Help, the man page and completions are made from these values, so that
/// they cannot differ from the parser.
public struct Program: Sendable {
    /// The name, as it is typed.
    public let name: String
    /// One sentence.
    public let abstract: String
    /// The line that `--version` prints.
    public let version: String
    /// The commands, in the order of the help.
    public let commands: [Command]
    /// The command that runs where none is named. One of ``commands``.
    public let defaultCommand: String
    /// The word that was probably meant, among those that would be right.
    let suggestion: @Sendable (String, [String]) -> String?

    /// Joins the parts of a program.
    public init(
        name: String, abstract: String, version: String, commands: [Command], defaultCommand: String,
        suggestion: @escaping @Sendable (String, [String]) -> String? = { _, _ in nil }
    ) {
        self.name = name
        self.abstract = abstract
        self.version = version
        self.commands = commands
        self.defaultCommand = defaultCommand
        self.suggestion = suggestion
    }

    /// The commands that the help lists.
    var listedCommands: [Command] { commands.filter(\.isListed) }

    /// The command of a name.
    func command(_ name: String) -> Command? { commands.first { $0.name == name } }
}

/// A command of a program.
public struct Command: Sendable {
    /// The name, as it is typed.
    public let name: String
    /// One sentence.
    public let abstract: String
    /// More of them, where one is not enough.
    public let discussion: String?
    /// False for a command that only scripts use.
    public let isListed: Bool
    /// The options, in the order of the help.
    public let options: [CommandOption]
    /// The arguments that may stand without an option.
    public let operand: Operand?
    /// The work, with the arguments that were given.
    public let run: @Sendable (Arguments) throws -> Void

    /// Joins the parts of a command.
    public init(
        _ name: String, _ abstract: String, discussion: String? = nil, isListed: Bool = true,
        options: [CommandOption] = [], operand: Operand? = nil,
        run: @escaping @Sendable (Arguments) throws -> Void
    ) {
        self.name = name
        self.abstract = abstract
        self.discussion = discussion
        self.isListed = isListed
        self.options = options
        self.operand = operand
        self.run = run
    }
}

/// An argument that stands without an option, or several in a row.
public struct Operand: Sendable {
    /// The values in the usage, such as `file`.
    public let valueNames: [String]
    /// One sentence.
    public let help: String

    /// Joins the parts of an operand.
    public init(_ valueNames: String..., help: String) {
        self.valueNames = valueNames
        self.help = help
    }

    /// `<file>`, as usage and help show it.
    var term: String { valueNames.map { "<\($0)>" }.joined(separator: " ") }
}

/// An option of a command: `--name VALUE`, or `--name` alone.
public struct CommandOption: Sendable {
    /// The values that an option takes.
    public enum Value: Sendable {
        /// None: it is given or not.
        case none
        /// A path, which shells complete.
        case file
        /// Another text, by its name in the usage.
        case text(String)
    }

    /// The long name, without dashes.
    public let name: String
    /// The short name, without a dash.
    public let short: Character?
    /// The values that it takes.
    public let value: Value
    /// One sentence.
    public let help: String
    /// The value where the option is not given, for the help.
    public let defaultValue: String?

    /// Joins the parts of an option.
    public init(
        _ name: String, short: Character? = nil, value: Value = .none, _ help: String, defaultValue: String? = nil
    ) {
        self.name = name
        self.short = short
        self.value = value
        self.help = help
        self.defaultValue = defaultValue
    }

    /// The value's name in the usage; nil where there is none.
    var valueName: String? {
        switch value {
        case .none: nil
        case .file: "file"
        case .text(let name): name
        }
    }

    /// The names as they are typed, the short one first.
    var spellings: [String] { (short.map { ["-\($0)"] } ?? []) + ["--\(name)"] }

    /// An option that every command has.
    static let common = [
        CommandOption("version", "Show the version."),
        CommandOption("help", short: "h", "Show help information."),
    ]
}

/// Arguments of a command.
public struct Arguments: Sendable {
    var values: [String: String] = [:]
    var flags: Set<String> = []
    /// The arguments that stood without an option.
    public internal(set) var operands: [String] = []
    /// The first of them.
    public var operand: String? { operands.first }

    /// The value of an option; the last one, where it was given more than once.
    public subscript(option: String) -> String? { values[option] }

    /// Whether an option without a value was given.
    public func has(_ option: String) -> Bool { flags.contains(option) }
}
