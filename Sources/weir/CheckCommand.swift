import CommandInterface

/// `weir check`.
enum CheckCommand {
    static let command = Command(
        "check", "Say whether a configuration file can be used, and what is wrong or odd about it.",
        discussion: "Prints every finding at once and ends with 1 where there is an error. Binds and resolves nothing.",
        options: [ConfigurationOption.option],
        operand: Operand("file", "The configuration file, instead of --config.")
    ) { arguments in
        let options = ConfigurationOption(path: arguments.operand ?? arguments[ConfigurationOption.option.name])
        let loaded = try options.load(tellsAdvice: true)
        for certificate in loaded.certificates { Console.out(certificate) }
        let count = loaded.routeCount
        Console.out("\(options.path): ok (\(count) \(count == 1 ? "route" : "routes"))")
    }
}
