import CommandInterface
import WeirProxy

/// `weir health`.
struct HealthCommand {
    static let command = Command(
        "health", "Ask the running Weir of a configuration file how it is, over its exporter.",
        discussion: "Ends with 0 where it is well and with 1 otherwise: made for container health checks.",
        options: [
            ConfigurationOption.option,
            CommandOption(
                "ready", "Ask whether it should get traffic (/readyz) instead of whether it lives (/healthz)."),
            CommandOption(
                "exporter", value: .text("address:port or unix:path"),
                "Query the exporter at this address, without the configuration file, which may have changed since."
            ),
        ]
    ) { arguments in
        let command = HealthCommand(
            options: ConfigurationOption(arguments), ready: arguments.has("ready"), exporter: arguments["exporter"])
        try command.run()
    }

    let options: ConfigurationOption
    let ready: Bool
    let exporter: String?

    private func run() throws(Failure) {
        let loaded = exporter == nil ? try options.load(tellsWarnings: false) : nil
        do throws(HealthProbe.Failure) {
            let answer = try makeProbe(loaded?.configuration).ask()
            if answer.isHealthy {
                Console.out(answer.text)
                return
            }
            Console.failure(answer.text)
        } catch {
            Console.failure("\(error)")
        }
        throw Failure()
    }

    private func makeProbe(_ configuration: HealthProbe.Configuration?) throws(HealthProbe.Failure) -> HealthProbe {
        if let configuration { return try HealthProbe(configuration, asksReadiness: ready) }
        return try HealthProbe(exporter: exporter ?? "", asksReadiness: ready)
    }
}
