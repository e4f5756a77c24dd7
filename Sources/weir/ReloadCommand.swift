import CommandInterface
import WeirProxy

/// `weir reload`.
enum ReloadCommand {
    static let command = Command(
        "reload", "Make the running Weir of a configuration file read it again, and say how that went.",
        discussion: """
            Waits until the reload has ended. Where the file is refused, the old configuration goes on, the findings are \
            printed, and it ends with 1. The user of the running process and root may ask.
            """,
        options: [ConfigurationOption.option]
    ) { arguments in
        try run(ConfigurationOption(arguments))
    }

    private static func run(_ options: ConfigurationOption) throws(Failure) {
        let outcome: ReloadOutcome
        do throws(ControlClient.Failure) {
            outcome = try ControlClient(configuration: options.path).reload()
        } catch {
            Console.failure("\(error)")
            throw Failure()
        }
        for finding in outcome.problems + outcome.warnings { Console.error(finding) }
        if !outcome.problems.isEmpty {
            Console.failure("the reload was refused, and the old configuration goes on")
            throw Failure()
        }
        Console.out("\(options.path): reloaded")
    }
}
