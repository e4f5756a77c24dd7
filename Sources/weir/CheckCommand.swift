import ArgumentParser

/// `weir check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether a configuration file can be used, and what is wrong or odd about it.",
        discussion: "Prints every finding at once and ends with 1 where there is an error. Binds and resolves nothing.")

    @OptionGroup var options: ConfigurationOption

    @Argument(help: ArgumentHelp("The configuration file, instead of --config.", valueName: "file"))
    var file: String?

    func run() throws {
        var options = options
        if let file { options.config = file }
        let loaded = try options.load()
        let count = loaded.routeCount
        Console.out("\(options.path): ok (\(count) \(count == 1 ? "route" : "routes"))")
    }
}
