import ArgumentParser
import WeirProxy

/// The command line.
@main
struct Weir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "A TCP and UDP stream proxy that measures everything it carries.",
        version: Version.text,
        subcommands: [
            RunCommand.self, CheckCommand.self, DemoCommand.self, MetricsCommand.self, SchemaCommand.self,
            HealthCommand.self, VersionCommand.self, ManualCommand.self,
        ],
        defaultSubcommand: RunCommand.self)
}
