import CommandInterface
import WeirProxy

/// `weir health`.
struct HealthCommand {
    static let command = Command(
        "health", "Ask the running Weir of a configuration file how it is, over its exporter.",
        discussion: """
            Ends with 0 where it is well and with 1 otherwise: made for container health checks. The running process says \
            where its exporter is, so that a file that has changed since, or is refused, does not count.
            """,
        options: [
            ConfigurationOption.option,
            CommandOption(
                "ready", "Ask whether it should get traffic (/readyz) instead of whether it lives (/healthz)."),
            CommandOption(
                "exporter", value: .text("address:port, https://address:port or unix:path"),
                "Query the exporter at this address, without asking the process or the file for it."
            ),
        ]
    ) { arguments in
        let command = HealthCommand(
            options: ConfigurationOption(arguments), ready: arguments.has("ready"), exporter: arguments["exporter"])
        try command.run()
    }

    /// Together with the time of the probe less than what the image's health check has.
    private static let patience = Duration.seconds(1)

    let options: ConfigurationOption
    let ready: Bool
    let exporter: String?

    private func run() throws(Failure) {
        let endpoints = exporter == nil ? try findEndpoints() : nil
        do throws(HealthProbe.Failure) {
            let answer = try makeProbe(endpoints).ask()
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

    /// The running process itself knows its exporter best: the file may have changed since, and be refused. Where the
    /// process cannot be asked, the file says what it is.
    private func findEndpoints() throws(Failure) -> ExporterEndpoints {
        do throws(ControlClient.Failure) {
            return try ControlClient(configuration: options.path, timeout: Self.patience).exporter()
        } catch {
            return ExporterEndpoints(try options.load(tellsWarnings: false).configuration)
        }
    }

    private func makeProbe(_ endpoints: ExporterEndpoints?) throws(HealthProbe.Failure) -> HealthProbe {
        if let endpoints { return try HealthProbe(endpoints, asksReadiness: ready) }
        return try HealthProbe(exporter: exporter ?? "", asksReadiness: ready)
    }
}
