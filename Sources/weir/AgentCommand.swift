import CommandInterface
import WeirProxy

/// `weir agent`.
enum AgentCommand {
    private static let directory = CommandOption(
        "directory", short: "d", value: .file, "The folder of the certificates (default: the present one).")
    private static let days = CommandOption(
        "days", value: .text("n"), "The days until certificates end, at most 825.", defaultValue: "825")
    private static let client = CommandOption(
        "client", value: .text("name"),
        "Make one more client of the authority that is in the folder, instead of everything.")
    private static let scraper = CommandOption(
        "scraper", "Make one more client that may only ask for /metrics and /healthz.")

    static let command = Command(
        "agent", "Run the agent of a configuration file, or make the certificates of one.",
        discussion: """
            An agent is run as run does, and its file must have an agent. With the word certificates and a name it \
            makes ca.pem and ca.key, which stay where they are made, server.pem and server.key for the agent, client.pem and \
            client.key, and a bundle of these for a proxy, which is named after the agent. No file is overwritten.
            """,
        options: [ConfigurationOption.option, directory, days, client, scraper],
        operand: Operand("certificates", "name", help: "The word certificates, and the name of the agent.")
    ) { arguments in
        guard let word = arguments.operands.first else {
            if let given = [directory, days, client].first(where: { arguments[$0.name] != nil })?.name
                ?? (arguments.has(scraper.name) ? scraper.name : nil)
            {
                throw UsageError("--\(given) is for `certificates`", command: "agent")
            }
            try RunCommand.run(ConfigurationOption(arguments), needsAgent: true)
            return
        }
        guard word == "certificates" else {
            throw UsageError("Unexpected argument '\(word)': expected 'certificates'", command: "agent")
        }
        guard arguments.operands.count == 2 else {
            throw UsageError("Missing the name of the agent", command: "agent")
        }
        var count: Int?
        if let text = arguments[days.name] {
            guard let number = Int(text) else { throw UsageError("--days: expected a number", command: "agent") }
            count = number
        }
        let maker = CertificateMaker(
            name: arguments.operands[1], directory: arguments[directory.name] ?? ".", days: count,
            client: arguments[client.name], isScraper: arguments.has(scraper.name))
        do throws(CertificateMaker.Failure) {
            for line in try maker.make() { Console.out(line) }
        } catch {
            Console.failure(error.text)
            throw Failure()
        }
    }
}
