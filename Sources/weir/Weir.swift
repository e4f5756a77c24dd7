import CommandInterface
import Glibc
import WeirConfiguration
import WeirProxy

/// The command line.
@main
enum Weir {
    static let program: Program = Program(
        name: "weir",
        abstract: "A TCP and UDP stream proxy that measures everything it carries.",
        version: Version.text,
        commands: [
            RunCommand.command, AgentCommand.command, ReloadCommand.command, CheckCommand.command, StatusCommand.status,
            StatusCommand.top, OperatorCommands.connections, OperatorCommands.kill, OperatorCommands.drain,
            OperatorCommands.undrain, OperatorCommands.logLevel, DemoCommand.command, MetricsCommand.command,
            SchemaCommand.command, HealthCommand.command, VersionCommand.command, ManualCommand.command,
        ],
        defaultCommand: "run",
        suggestion: { nearMiss(of: $0, among: $1) })

    static func main() {
        ProcessPrivileges.begin()
        do {
            switch try program.parse(ProcessPrivileges.arguments) {
            case .run(let command, let arguments): try command.run(arguments)
            case .help(let command): Console.out(program.help(command))
            case .version: Console.out(Version.text)
            case .completions(let shell): Console.out(program.completions(shell))
            }
        } catch let error as UsageError {
            Console.error(program.explanation(of: error))
            Glibc.exit(EX_USAGE)
        } catch is Failure {
            Glibc.exit(1)
        } catch {
            Console.failure("\(error)")
            Glibc.exit(1)
        }
    }
}

/// The command has failed and has printed the reason.
struct Failure: Error {}
