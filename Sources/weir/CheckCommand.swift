import CommandInterface
import WeirProxy

/// `weir check`.
enum CheckCommand {
    private static let containers = CommandOption(
        "docker",
        "Also ask the container engines, and say for each container why it is, or is not, a part of a route.")

    static let command = Command(
        "check", "Say whether a configuration file can be used, and what is wrong or odd about it.",
        discussion: "Prints every finding at once and ends with 1 where there is an error. Binds and resolves nothing.",
        options: [ConfigurationOption.option, containers],
        operand: Operand("file", help: "The configuration file, instead of --config.")
    ) { arguments in
        let options = ConfigurationOption(path: arguments.operand ?? arguments[ConfigurationOption.option.name])
        let loaded = try options.load(tellsAdvice: true)
        for certificate in loaded.certificates { Console.out(certificate) }
        let count = loaded.routeCount
        if arguments.has(containers.name) {
            let report = ContainerReport(loaded)
            for line in report.lines { Console.out(line) }
            for line in report.failures { Console.error(line) }
            if report.hasErrors { throw Failure() }
        }
        Console.out("\(options.path): ok (\(count) \(count == 1 ? "route" : "routes"))")
    }
}
