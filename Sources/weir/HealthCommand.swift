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

    func run() throws {
        let loaded = try options.load(tellsWarnings: false)
        do throws(HealthProbe.Failure) {
            let answer = try HealthProbe(loaded.configuration, asksReadiness: ready).ask()
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
}
