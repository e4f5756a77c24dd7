import ArgumentParser
import WeirProxy

/// `weir health`.
struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask the running Weir of a configuration file how it is, over its exporter.",
        discussion: "Ends with 0 where it is well and with 1 otherwise: made for container health checks.")

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Ask whether it should get traffic (/readyz) instead of whether it lives (/healthz).")
    var ready = false

    @Option(
        help: ArgumentHelp(
            "Ask the exporter at this address instead of reading a configuration file, which may have changed since.",
            valueName: "address:port or unix:path"))
    var exporter: String?

    func run() throws {
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
        throw ExitCode(1)
    }

    private func makeProbe(_ configuration: HealthProbe.Configuration?) throws(HealthProbe.Failure) -> HealthProbe {
        if let configuration { return try HealthProbe(configuration, asksReadiness: ready) }
        return try HealthProbe(exporter: exporter ?? "", asksReadiness: ready)
    }
}
