import ArgumentParser
import WeirProxy

/// `weir metrics`.
struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print every metric that Weir exposes, as a Markdown table.")

    func run() {
        Console.out(String(MetricCatalogue.table.dropLast()))
    }
}
