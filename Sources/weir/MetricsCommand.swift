import CommandInterface
import WeirProxy

/// `weir metrics`.
enum MetricsCommand {
    static let command = Command("metrics", "Print every metric that Weir exposes, as a Markdown table.") { _ in
        Console.out(String(MetricCatalogue.table.dropLast()))
    }
}
