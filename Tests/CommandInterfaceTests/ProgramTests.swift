import CommandInterface
import Testing

/// A program with every kind of argument.
private let program = Program(
    name: "tool", abstract: "A tool.", version: "tool 1",
    commands: [
        Command(
            "run", "Run it.",
            options: [
                CommandOption("config", short: "c", value: .file, "The file (it's [odd]: so)."),
                CommandOption("level", value: .text("number"), "How much.", defaultValue: "3"),
                CommandOption("quick", "Do not wait."),
            ],
            operand: Operand("file", help: "Another file.")
        ) { _ in },
        Command("check", "Check it.", discussion: "It says what is wrong.") { _ in },
        Command("hidden", "For scripts.", isListed: false) { _ in },
    ],
    defaultCommand: "run", suggestion: { word, candidates in candidates.first { $0.dropLast() == word } })

struct ProgramTests {
    /// The outcome of parsing in a line.
    private func outcome(_ words: String...) -> String {
        do throws(UsageError) {
            switch try program.parse(words) {
            case .run(let command, let arguments):
                let values = ["config", "level"].compactMap { name in arguments[name].map { "\(name)=\($0)" } }
                let flags = arguments.has("quick") ? ["quick"] : []
                return ([command.name] + values + flags + (arguments.operand.map { ["<\($0)>"] } ?? []))
                    .joined(separator: " ")
            case .help(let command): return "help \(command?.name ?? "")"
            case .version: return "version"
            case .completions(let shell): return "completions \(shell)"
            }
        } catch {
            return "\(error.command ?? "-"): \(error.message)"
        }
    }

    @Test("commands, options in every spelling, operands and the default command are read")
    func parsing() {
        #expect(outcome() == "run")
        #expect(outcome("-c", "f") == "run config=f")
        #expect(outcome("run", "--config", "f", "--level=5", "--quick", "x") == "run config=f level=5 quick <x>")
        #expect(outcome("run", "-cf", "--config=") == "run config=")
        #expect(outcome("run", "--", "--quick") == "run <--quick>")
        #expect(outcome("run", "-") == "run <->")
        #expect(outcome("hidden") == "hidden")
        #expect(outcome("--version") == "version")
        #expect(outcome("check", "--version") == "version")
        #expect(outcome("--help") == "help ")
        #expect(outcome("help") == "help ")
        #expect(outcome("help", "check") == "help check")
        #expect(outcome("check", "-h") == "help check")
        #expect(outcome("--generate-completion-script", "zsh") == "completions zsh")
    }

    @Test("a command line that is wrong says where, and guesses what was meant")
    func mistakes() {
        #expect(outcome("chec") == "-: Unknown command 'chec'. Did you mean 'check'?")
        #expect(outcome("hidde") == "-: Unknown command 'hidde'")
        #expect(outcome("help", "x") == "-: Unknown command 'x'")
        #expect(outcome("run", "--confi", "f") == "run: Unknown option '--confi'. Did you mean '--config'?")
        #expect(outcome("run", "-x") == "run: Unknown option '-x'")
        #expect(outcome("run", "--level") == "run: Missing value for '--level <number>'")
        #expect(outcome("run", "--quick=yes") == "run: '--quick' takes no value")
        #expect(outcome("run", "a", "b") == "run: Unexpected argument 'b'")
        #expect(outcome("check", "a") == "check: Unexpected argument 'a'")
        #expect(outcome("--generate-completion-script", "csh").hasPrefix("-: Unknown shell 'csh'"))
        #expect(outcome("--generate-completion-script").hasPrefix("-: Missing value"))
        #expect(
            program.explanation(of: UsageError("No", command: "run")) == """
                Error: No
                Usage: tool run [--config <file>] [--level <number>] [--quick] [<file>]
                  See 'tool run --help' for more information.
                """)
        #expect(program.explanation(of: UsageError("No")).contains("Usage: tool <subcommand>"))
    }

    @Test("help tells every command and option within 80 columns, and no hidden command")
    func help() throws {
        let whole = program.help(nil)
        #expect(whole.contains("run (default)") && whole.contains("check") && !whole.contains("hidden"))
        guard case .help(let command?) = try program.parse(["help", "run"]) else {
            Issue.record("no help of run")
            return
        }
        let text = program.help(command)
        for piece in [
            "OVERVIEW: Run it.", "  -c, --config <file>     The file", "(default: 3)", "--quick", "  <file>    ",
            "-h, --help",
        ] {
            #expect(text.contains(piece))
        }
        #expect((whole + text).split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test("the man page escapes what groff would take for itself")
    func manual() {
        let page = Manual(
            of: program, description: ".so it's a\\b", sections: [.init("Files", [("'x", "-y")])], seeAlso: "a(1)"
        ).manPage
        for line in [
            ".SS tool run", ".SH FILES", "\\&.so it's a\\eb", ".B \\&'x", "\\-y", "How much. Default: 3.",
            "\\fIfile\\fR",
            "\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIfile\\fR", "It says what is wrong.",
        ] {
            #expect(page.split(separator: "\n").contains { $0 == line }, "\(line)")
        }
        #expect(!page.contains("hidden"))
    }

    @Test("the page in Markdown has every command, option and section, and text that means itself")
    func markdown() {
        let sections = [Manual.Section("Exit status", [("a|b, c", "So *it* | is.")])]
        let page = Manual(of: program, description: "", sections: sections, seeAlso: "").markdown
        for line in [
            "## tool run", "tool run [--config <file>] [--level <number>] [--quick] [<file>]",
            "| `--level <number>` | How much. Default: 3. |", "| `-h`, `--help` | Show help information. |",
            "## Exit status", "| exit status | meaning |", "| `a\\|b`, `c` | So \\*it\\* \\| is. |",
        ] {
            #expect(page.split(separator: "\n").contains { $0 == line }, "\(line)")
        }
        #expect(!page.contains("hidden") && page.hasSuffix("|\n"))
    }

    @Test("completions name every command and option, and quote text", arguments: Shell.allCases)
    func completions(shell: Shell) {
        let script = program.completions(shell)
        for word in ["run", "check", "config", "level", "quick", "version", "help"] { #expect(script.contains(word)) }
        #expect(!script.contains("hidden"))
        switch shell {
        case .bash: #expect(script.contains("-c|--config) COMPREPLY=($(compgen -f"))
        case .zsh: #expect(script.contains("'-c[The file (it'\\''s \\[odd\\]\\: so).]:file:_files'"))
        case .fish: #expect(script.contains("-s c -l config -r -F -d 'The file (it\\'s [odd]: so).'"))
        }
    }
}
